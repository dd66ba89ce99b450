// From fine CAMs to a mask, as labels/recipe.py has it.

/** (h, w) -> (high, wide), bilinear, borders repeated; as torch without align_corners. */
export function enlarge(map, [h, w], [high, wide]) {
  const [across, down] = [places(w, wide), places(h, high)];
  const out = new Float32Array(high * wide);
  const line = new Float64Array(w);
  for (let y = 0, i = 0; y < high; y++) {
    const [top, bottom, share] = [down.low[y] * w, down.next[y] * w, down.share[y]];
    for (let x = 0; x < w; x++)
      line[x] = map[top + x] * (1 - share) + map[bottom + x] * share;
    for (let x = 0; x < wide; x++, i++) {
      const over = across.share[x];
      out[i] = line[across.low[x]] * (1 - over) + line[across.next[x]] * over;
    }
  }
  return out;
}

/** On an axis of n samples, for each of `size` places: the two beside it, and how far. */
function places(n, size) {
  const low = new Uint32Array(size);
  const next = new Uint32Array(size);
  const share = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const place = Math.max(0, ((i + 0.5) * n) / size - 0.5);
    low[i] = Math.min(n - 1, Math.floor(place));
    next[i] = Math.min(n - 1, low[i] + 1);
    share[i] = place - low[i];
  }
  return { low, next, share };
}

/** Each map from 0 to 1. */
export function normalise(map) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of map) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  const out = new Float32Array(map.length);
  for (let i = 0; i < map.length; i++) out[i] = (map[i] - low) / (high - low + 1e-8);
  return out;
}

/**
 * A label a pixel: 0 background, else 1 + the index of a map.
 *
 * @param maps (h, w) each, one per tag.
 * @param threshold the background's score; a class must be above it.
 */
export function labels(maps, grid, size, threshold) {
  const scores = maps.map((map) => normalise(enlarge(map, grid, size)));
  const out = new Uint8Array(size[0] * size[1]);
  for (let i = 0; i < out.length; i++) {
    let best = threshold;
    for (let k = 0; k < scores.length; k++)
      if (scores[k][i] > best) {
        best = scores[k][i];
        out[i] = k + 1;
      }
  }
  return out;
}

/** Pixels that both masks give a class, over those that one of them does. */
export function agreement(a, b) {
  let [both, either] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (a[i] || b[i]) either++;
    if (a[i] && a[i] === b[i]) both++;
  }
  return either ? both / either : 1;
}

/**
 * Intersection over union of each label that either mask has, and their mean.
 *
 * @returns {mean, each}, `each` of [label, IoU] pairs, the background first.
 */
export function meanIou(truth, found) {
  const [both, either] = [new Map(), new Map()];
  const count = (map, label) => map.set(label, (map.get(label) ?? 0) + 1);
  for (let i = 0; i < truth.length; i++) {
    count(either, truth[i]);
    if (truth[i] === found[i]) count(both, truth[i]);
    else count(either, found[i]);
  }
  const each = [...either.keys()]
    .sort((a, b) => a - b)
    .map((label) => [label, (both.get(label) ?? 0) / either.get(label)]);
  return { mean: each.reduce((sum, [, iou]) => sum + iou, 0) / each.length, each };
}
