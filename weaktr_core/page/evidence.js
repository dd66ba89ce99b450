// From the patch classifier's map (C, N) to evidence and beliefs, as method/cams.py has it.
// With a background, C = 1 + K and channel 0 competes with the classes in every patch.

const TOP_SHARE = 0.3; // of the patches: those that answer for the photo
const LEAST = 1e-4; // a probability is no closer to 0 and 1

/** Evidence for each class (K, N): what is positive, or its probability in the patch. */
export function evidenceOf(map, K, N, background) {
  if (!background) return map.map((v) => Math.max(v, 0));
  const out = new Float32Array(K * N);
  for (let i = 0; i < N; i++) {
    let most = Number.NEGATIVE_INFINITY;
    for (let c = 0; c <= K; c++) most = Math.max(most, map[c * N + i]);
    let sum = 0;
    for (let c = 0; c <= K; c++) sum += Math.exp(map[c * N + i] - most);
    for (let k = 0; k < K; k++)
      out[k * N + i] = Math.exp(map[(k + 1) * N + i] - most) / sum;
  }
  return out;
}

/** One logit a class: the mean of its map, or log-odds of its mean in its best patches. */
export function beliefs(map, evidence, K, N, background) {
  return Float32Array.from({ length: K }, (_, k) => {
    if (!background) return mean(map.subarray(k * N, (k + 1) * N));
    const best = evidence
      .slice(k * N, (k + 1) * N)
      .sort()
      .subarray(N - top(N));
    const share = Math.min(1 - LEAST, Math.max(LEAST, mean(best)));
    return Math.log(share / (1 - share));
  });
}

/** How many patches answer; halves go to the even number, as in Python. */
function top(N) {
  const wanted = TOP_SHARE * N;
  const low = Math.floor(wanted);
  const up = wanted - low > 0.5 || (wanted - low === 0.5 && low % 2 === 1);
  return Math.max(1, low + up);
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
