// The adaptive attention fusion: what each head gathered -> one weight a head.

/** (H, dim): the largest, or the mean, over all tokens of what each head gathered (T, D). */
export function pool(gathered, { heads, dim, pool: kind }) {
  const D = heads * dim;
  const T = gathered.length / D;
  const out = new Float64Array(D).fill(kind === "max" ? -Infinity : 0);
  for (let t = 0; t < T; t++)
    for (let d = 0; d < D; d++) {
      const value = gathered[t * D + d];
      if (kind === "mean") out[d] += value / T;
      else if (value > out[d]) out[d] = value;
    }
  return Array.from({ length: heads }, (_, h) => out.subarray(h * dim, (h + 1) * dim));
}

/** Mean 0, variance 1. */
function standard(row) {
  const mean = row.reduce((a, b) => a + b, 0) / row.length;
  const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
  return row.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
}

/** A linear layer on one vector. */
function linear(row, weight, bias) {
  const wide = row.length;
  return Float64Array.from({ length: weight.length / wide }, (_, m) => {
    let sum = bias ? bias[m] : 0;
    for (let d = 0; d < wide; d++) sum += row[d] * weight[m * wide + d];
    return sum;
  });
}

/** The error function to 1.5e-7: Abramowitz & Stegun 7.1.26. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series =
    t *
    (0.254829592 +
      t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/**
 * One weight a head, mean 1.
 *
 * @param pooled for each layer, for each head its pooled features; null: fixed weights.
 * @param about the network's description.
 * @param values reads a tensor of the network.
 */
export function headWeights(pooled, _about, values) {
  if (!pooled) return values("fusion.weights");
  const [first, last] = ["fusion.squeeze.0", "fusion.squeeze.1"].map(
    (name) => (row) => linear(row, values(`${name}.weight`), values(`${name}.bias`)),
  );
  const scores = pooled.flat().map((row) => last(first(standard(row)))[0]);
  const hidden = linear(scores, values("fusion.excite.0.weight")).map(gelu);
  const weights = linear(hidden, values("fusion.excite.2.weight")).map(sigmoid);
  const mean = weights.reduce((a, b) => a + b, 0) / weights.length;
  return Float32Array.from(weights, (w) => w / mean);
}
