// Maps of a picture become labels, and its mask says how good they are.

import { beats, bestClass, countPixels, peak, places, sweep } from "./scores.js";
import { drawPixels, loadImage, unpack } from "./shared.js";

export const CUTS = 101; // thresholds of the sweep: 0, 0.01, … 1

/** In per cent, "…" while it is not known. */
export const per = (v) => (v === undefined ? "…" : (100 * v).toFixed(1));

/** What a picture needs to be judged: its mask unpacked, its image, where pixels lie. */
export async function openPicture(p) {
  const [truth, image] = await Promise.all([unpack(p.mask), loadImage(p.jpeg)]);
  return {
    ...p,
    truth,
    image,
    count: p.grid[0] * p.grid[1],
    rows: places(p.grid[0], p.mask.shape[0]),
    columns: places(p.grid[1], p.mask.shape[1]),
  };
}

/** The part of (classes, patches) numbers that is of one class. */
export const ofClass = (p, maps, c) => maps.subarray(c * p.count, (c + 1) * p.count);

/**
 * Labels of a picture at every threshold, and how good they are.
 *
 * @param p from `openPicture`, with `classes` and their `labels` among those of all.
 * @param maps (classes, patches).
 * @param labels how many there are in all pictures, background among them.
 */
export function judge(p, maps, labels) {
  const each = p.classes.map((_, c) => ofClass(p, maps, c));
  const { best, score } = bestClass(each, p.grid[1], p.rows, p.columns);
  const named = (own) => own.map((label) => (label === 255 ? 255 : p.labels[label]));
  const pixels = { truth: named(p.truth), best: named(best), beaten: beats(score, CUTS) };
  const counts = countPixels(pixels, { labels, cuts: CUTS });
  const miou = sweep(counts);
  const cut = peak(miou);
  return { best, score, counts, miou, cut, top: miou[cut] };
}

/** The best mIoU of all pictures at one threshold for all. */
export function pooled(judged) {
  const sum = { ...judged[0].counts, beaten: judged[0].counts.beaten.slice() };
  for (const { counts } of judged.slice(1))
    counts.beaten.forEach((n, i) => {
      sum.beaten[i] += n;
    });
  const miou = sweep(sum);
  return miou[peak(miou)];
}

/** Labels in class colours, as many pixels as the mask has; `label(i)` of the i-th. */
export function drawLabelMap(canvas, p, label) {
  drawPixels(canvas, p.mask.shape, (i) => {
    const own = label(i);
    return own === 255 ? [255, 255, 255] : own ? p.colours[own - 1] : [0, 0, 0];
  });
}
