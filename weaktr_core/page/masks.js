// Masks of a photo's tags under some trial, at the size they are drawn or saved at.

import { setSize } from "../widgets/shared.js";
import { labels } from "./labels.js";

const SIDE = 320; // pixels of the longer side of a mask on the screen
const TALLEST = 520; // pixels of a large picture

/** {labels, size}: 0 background, 1 + k class k. */
export function maskOf(view, photo, trial, longest = SIDE) {
  const { width, height } = photo.canvas;
  const factor = Math.min(1, longest / Math.max(width, height));
  const size = [
    Math.max(1, Math.round(height * factor)),
    Math.max(1, Math.round(width * factor)),
  ];
  const setting = view.setting(photo, trial);
  const maps = photo.tags.map((k) => photo.mapsOf(k, setting).fine);
  const places = labels(maps, photo.grid, size, view.threshold);
  const label = Uint8Array.from([0, ...photo.tags.map((k) => k + 1)]);
  return { size, labels: places.map((v) => label[v]) };
}

/** The mask in class colours over the photo. */
export function drawMask(canvas, view, photo, { labels: mask, size }) {
  const [h, w] = size;
  const { colours } = view.data.key;
  const pixels = pixelsAt(photo, size);
  const image = new ImageData(w, h);
  for (let i = 0; i < mask.length; i++) {
    const [dim, paint] = mask[i] ? [0.35, 0.65] : [0.45, 0]; // as figures mix them
    const colour = colours[mask[i]];
    for (let c = 0; c < 3; c++)
      image.data[4 * i + c] = dim * pixels[4 * i + c] + paint * colour[c];
    image.data[4 * i + 3] = 255;
  }
  setSize(canvas, w, h);
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.classList.remove("wt-over");
}

/** A large picture is as wide as there is room, but a tall one no endless column. */
export function fit(canvas, { shown }) {
  canvas.style.maxWidth = `${Math.round((TALLEST * shown.width) / shown.height)}px`;
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
