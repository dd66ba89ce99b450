// Masks of a photo's tags under some trial, at the size they are drawn or saved at.

import { drawLabels } from "../widgets/shared.js";
import { labels } from "./labels.js";

const SIDE = 240; // pixels of the longer side on the screen

/** {labels, size}: 0 background, 1 + k class k. */
export function maskOf(view, photo, trial, longest = SIDE) {
  const { width, height } = photo.canvas;
  const factor = Math.min(1, longest / Math.max(width, height));
  const size = [Math.max(1, Math.round(height * factor)), Math.max(1, Math.round(width * factor))];
  const setting = view.setting(photo, trial);
  const maps = photo.tags.map((k) => photo.mapsOf(k, setting).fine);
  const places = labels(maps, photo.grid, size, view.threshold);
  return { size, labels: places.map((v) => (v ? photo.tags[v - 1] + 1 : 0)) };
}

/** The mask in class colours over the photo. */
export function drawMask(canvas, view, photo, { labels: mask, size }) {
  drawLabels(canvas, pixelsAt(photo, size), mask, size, view.data.key.colours);
}

/** The photo's colours at a size, kept: they are wanted at every redraw. */
function pixelsAt(photo, [h, w]) {
  const name = `${h} ${w}`;
  photo.pixels ??= {};
  if (!photo.pixels[name]) {
    const canvas = new OffscreenCanvas(w, h);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(photo.shown, 0, 0, w, h);
    photo.pixels = { [name]: context.getImageData(0, 0, w, h).data };
  }
  return photo.pixels[name];
}
