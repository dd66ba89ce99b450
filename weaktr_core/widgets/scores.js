// The threshold sweep: quality of labels at every background score, in one pass.
//
// A pixel gets its best class where that score is above the threshold, else background. So
// it is enough to count pixels by true label, best label and how many thresholds the score
// beats; a sum from the top gives every threshold. Label 255 never counts.

/**
 * Count one picture; with `into`, add it to what was counted before.
 *
 * @param truth label of each pixel, 0 background, 255 ignored.
 * @param best label of the class with the highest score.
 * @param beaten how many thresholds that score beats, 0 .. cuts.
 * @param labels how many there are, background among them.
 */
export function countPixels({ truth, best, beaten }, { labels, cuts }, into = null) {
  const counts = into ?? {
    labels,
    cuts,
    beaten: new Float64Array(labels * labels * (cuts + 1)),
  };
  for (let i = 0; i < truth.length; i++)
    if (truth[i] !== 255)
      counts.beaten[(truth[i] * labels + best[i]) * (cuts + 1) + beaten[i]]++;
  return counts;
}

/** mIoU at every threshold of what was counted -> Float64Array (cuts). */
export function sweep({ labels, cuts, beaten }) {
  const miou = new Float64Array(cuts);
  const above = new Float64Array(labels * labels); // called a class, by (truth, guess)
  const truths = totals(beaten, labels, cuts + 1);
  for (let cut = cuts - 1; cut >= 0; cut--) {
    for (let k = 0; k < labels * labels; k++) above[k] += beaten[k * (cuts + 1) + cut + 1];
    miou[cut] = meanIou(above, truths, labels);
  }
  return miou;
}

/** Pixels of each true label. */
function totals(beaten, labels, width) {
  const truths = new Float64Array(labels);
  for (let i = 0; i < beaten.length; i++)
    truths[Math.floor(i / (labels * width))] += beaten[i];
  return truths;
}

/**
 * Intersection over union, averaged over the labels that occur.
 *
 * `above` counts pixels by (truth, guess); guesses of background are what is left of
 * `truths`, so that they need not be counted.
 */
export function meanIou(above, truths, labels) {
  const guessed = new Float64Array(labels);
  const called = new Float64Array(labels); // of each true label, called some class
  for (let t = 0; t < labels; t++)
    for (let g = 1; g < labels; g++) {
      guessed[g] += above[t * labels + g];
      called[t] += above[t * labels + g];
    }
  guessed[0] = truths.reduce((sum, n, t) => sum + n - called[t], 0);
  let sum = 0;
  let seen = 0;
  for (let g = 0; g < labels; g++) {
    const hits = g ? above[g * labels + g] : truths[0] - called[0];
    const union = truths[g] + guessed[g] - hits;
    if (union === 0) continue;
    sum += hits / union;
    seen += 1;
  }
  return seen ? sum / seen : 0;
}

/** [mIoU, share of pixels that are right] of one label map. */
export function quality(found, truth, labels) {
  const above = new Float64Array(labels * labels);
  const truths = new Float64Array(labels);
  let right = 0;
  truth.forEach((t, i) => {
    if (t === 255) return;
    truths[t] += 1;
    if (found[i]) above[t * labels + found[i]] += 1;
    right += t === found[i];
  });
  const all = truths.reduce((a, b) => a + b, 0);
  return [meanIou(above, truths, labels), right / Math.max(all, 1)];
}

/** Index of the largest number, the first of equals. */
export const peak = (values) =>
  values.reduce((best, v, i) => (v > values[best] ? i : best), 0);

/** Bilinear resampling of `from` cells to `to`: below, above, share of above. */
export function places(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const x = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.floor(x);
    return [low, Math.min(low + 1, from - 1), x - low];
  });
}

/** A map of w columns stretched to `rows` and `columns`, both from `places`. */
export function enlarge(map, w, rows, columns) {
  const height = map.length / w;
  const wide = new Float64Array(height * columns.length);
  for (let y = 0; y < height; y++)
    columns.forEach(([a, b, s], x) => {
      wide[y * columns.length + x] = map[y * w + a] * (1 - s) + map[y * w + b] * s;
    });
  const all = new Float64Array(rows.length * columns.length);
  rows.forEach(([a, b, s], y) => {
    for (let x = 0; x < columns.length; x++)
      all[y * columns.length + x] =
        wide[a * columns.length + x] * (1 - s) + wide[b * columns.length + x] * s;
  });
  return all;
}

/**
 * Per pixel the class with the highest score of 0 .. 1, and that score.
 *
 * @param maps of each class, one value per patch.
 * @param w patches across.
 * @param rows, columns of the pixels, from `places`.
 */
export function bestClass(maps, w, rows, columns) {
  const size = rows.length * columns.length;
  const best = new Uint8Array(size);
  const score = new Float64Array(size).fill(-1);
  maps.forEach((map, c) => {
    const full = enlarge(map, w, rows, columns);
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const v of full) {
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
    for (let i = 0; i < size; i++) {
      const value = (full[i] - low) / (high - low + 1e-8);
      if (value > score[i]) {
        score[i] = value;
        best[i] = c + 1;
      }
    }
  });
  return { best, score };
}

/** How many of the evenly spaced thresholds 0 .. 1 each score beats. */
export function beats(score, cuts) {
  const found = new Uint8Array(score.length); // a loop: `from` is ten times slower
  for (let i = 0; i < found.length; i++)
    found[i] = Math.min(cuts, Math.max(0, Math.ceil(score[i] * (cuts - 1) - 1e-9)));
  return found;
}
