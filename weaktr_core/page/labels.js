// From fine CAMs to a mask, as labels/recipe.py has it.

/** (h, w) -> (high, wide), bilinear, borders repeated; as torch without align_corners. */
export function enlarge(map, [h, w], [high, wide]) {
  const axis = (n, size) =>
    Array.from({ length: size }, (_, i) => {
      const place = Math.max(0, ((i + 0.5) * n) / size - 0.5);
      const low = Math.min(n - 1, Math.floor(place));
      return [low, Math.min(n - 1, low + 1), place - low];
    });
  const [rows, columns] = [axis(h, high), axis(w, wide)];
  const out = new Float32Array(high * wide);
  let i = 0;
  for (const [top, bottom, down] of rows)
    for (const [left, right, over] of columns) {
      const upper = map[top * w + left] * (1 - over) + map[top * w + right] * over;
      const lower = map[bottom * w + left] * (1 - over) + map[bottom * w + right] * over;
      out[i++] = upper * (1 - down) + lower * down;
    }
  return out;
}

/** Each map from 0 to 1. */
export function normalise(map) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of map) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return map.map((v) => (v - low) / (high - low + 1e-8));
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
