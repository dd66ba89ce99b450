// From the rows of all heads to maps, as method/cams.py has it, fast enough to drag.
//
// A setting is one {weight, kind} a head. The fused attention P is a weighted sum over
// heads, so a head that changes is taken out of P and put in anew; nothing else moves.

/** What can stand in for a head: itself, its mean, or its own values elsewhere. */
export const KINDS = ["itself", "mean", "shuffle"];

/** Patches in an order that is always the same one: where "shuffle" puts a value. */
export function shuffled(count) {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let seed = 12345;
  for (let i = count - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = seed % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** sum (R, N) += share · weight · rows (R, N), or what stands in for them. */
function addHead(sum, rows, N, { weight, kind }, share, order) {
  const factor = share * weight;
  if (!factor) return;
  if (kind === "itself") {
    for (let i = 0; i < sum.length; i++) sum[i] += factor * rows[i];
    return;
  }
  for (let start = 0; start < sum.length; start += N) {
    if (kind === "shuffle") {
      for (let i = 0; i < N; i++) sum[start + i] += factor * rows[start + order[i]];
      continue;
    }
    let mean = 0;
    for (let i = 0; i < N; i++) mean += rows[start + i];
    mean *= factor / N;
    for (let i = 0; i < N; i++) sum[start + i] += mean;
  }
}

const same = (a, b) => a.weight === b.weight && (a.kind === b.kind || !a.weight);
const SILENT = { weight: 0, kind: "itself" };

/**
 * The sum over heads of rows (heads, R, N), kept while settings change.
 *
 * @returns a function: setting -> sums (R, N), divided by the number of heads; the next
 *   call writes into the same array. Settings are not changed, but replaced.
 */
export function summing(rows, heads, N) {
  const size = rows.length / heads;
  const order = shuffled(N);
  const sum = new Float64Array(size);
  let now = new Array(heads).fill(SILENT);
  return (setting) => {
    const changed = setting.flatMap((wanted, i) => (same(now[i], wanted) ? [] : [i]));
    // most heads anew: cheaper from nothing than out and in
    const afresh = 2 * changed.length > heads;
    if (afresh) sum.fill(0);
    for (const head of afresh ? setting.keys() : changed) {
      const own = rows.subarray(head * size, (head + 1) * size);
      if (!afresh) addHead(sum, own, N, now[head], -1 / heads, order);
      addHead(sum, own, N, setting[head], 1 / heads, order);
    }
    now = setting;
    return sum;
  };
}

/** At most `cap` times its own mean. */
export function capped(map, cap) {
  const most = (cap * map.reduce((a, b) => a + b, 0)) / map.length;
  return map.map((v) => Math.min(v, most));
}

/** Each patch gathers what others have: (N, N) times a map (N). */
export function refine(between, map) {
  const N = map.length;
  return Float64Array.from({ length: N }, (_, p) => {
    let sum = 0;
    for (let i = 0, at = p * N; i < N; i++) sum += between[at + i] * map[i];
    return sum;
  });
}

/**
 * All stages of one class.
 *
 * @param cross summed attention of its class token (N), not yet capped.
 * @param coarse its evidence (N).
 * @param between patches (N, N): fused attention, or how alike they are.
 * @param cap in means; null: none.
 */
export function stages(cross, coarse, between, cap) {
  const limited = cap === null ? cross.slice() : capped(cross, cap);
  const product = limited.map((v, i) => v * coarse[i]);
  return { coarse, cross: limited, product, fine: refine(between, product) };
}
