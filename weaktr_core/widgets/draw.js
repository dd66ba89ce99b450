// Maps, labels and photos on canvases; the colours are Python's.

import { HEAT } from "./colours.js";
import { make } from "./dom.js";

const THUMB = 96; // pixels of a small map's longer side

/** A new size costs a new buffer, even if it is the old size. */
export function setSize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

/** Less colour in the photo leaves colour to the map; made once -> canvas. */
export function fade(photo) {
  if (photo.faded) return photo.faded;
  const canvas = make("canvas");
  const context = canvas.getContext("2d");
  // fine enough for sharp edges of patches
  const scale = Math.max(1, 720 / Math.max(photo.naturalWidth, photo.naturalHeight));
  canvas.width = Math.max(1, Math.round(photo.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(photo.naturalHeight * scale));
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "saturation";
  context.fillStyle = "rgba(128, 128, 128, 0.45)";
  context.fillRect(0, 0, canvas.width, canvas.height);
  photo.faded = canvas;
  return canvas;
}

/** `colour(i)` is the [red, green, blue] of the i-th pixel, row by row. */
export function drawPixels(canvas, [h, w], colour) {
  setSize(canvas, w, h);
  const context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  for (let i = 0, k = 0; i < h * w; i++) {
    const [red, green, blue, alpha = 255] = colour(i);
    image.data[k++] = red;
    image.data[k++] = green;
    image.data[k++] = blue;
    image.data[k++] = alpha;
  }
  context.putImageData(image, 0, 0);
}

/** One pixel per patch, values 0 .. 255, coloured by HEAT. */
export function drawMap(canvas, values, grid) {
  drawPixels(canvas, grid, (i) => HEAT[values[i]]);
}

/** Opacity of a value 0 .. 255: little veils the photo a little, much covers it. */
const veil = (value) => 0.35 + (0.5 * value) / 255;

/** [x, y, width, height] of patches in whole pixels: halves would show a seam. */
function placesOf(canvas, [h, w]) {
  const x = (i) => Math.round((i * canvas.width) / w);
  const y = (i) => Math.round((i * canvas.height) / h);
  return (i) => {
    const [row, column] = [Math.floor(i / w), i % w];
    return [x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row)];
  };
}

/** Frame the i-th patch in a colour that neither photos nor HEAT contain. */
export function frame(canvas, grid, i, colour = "#7df9ff") {
  const context = canvas.getContext("2d");
  for (const [stroke, width] of [
    ["#000", 7],
    [colour, 3.5],
  ]) {
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.strokeRect(...placesOf(canvas, grid)(i));
  }
}

/** A map over what the canvas shows: w x h colours with an opacity, stretched. */
function lay(canvas, values, grid) {
  const map = make("canvas");
  drawPixels(map, grid, (i) => [...HEAT[values[i]], Math.round(255 * veil(values[i]))]);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false; // cells keep their edges
  context.drawImage(map, 0, 0, canvas.width, canvas.height);
}

/** A photo with the map on it; `marked` is the index of a patch to frame, or null. */
export function drawOverlay(canvas, photo, values, grid, marked = null) {
  const below = fade(photo);
  setSize(canvas, below.width, below.height);
  canvas.classList.add("wt-over");
  canvas.getContext("2d").drawImage(below, 0, 0);
  lay(canvas, values, grid);
  if (marked !== null) frame(canvas, grid, marked);
}

/** The same in small, for many canvases at once. */
export function drawThumb(canvas, photo, values, grid) {
  const { width, height } = fade(photo);
  const scale = THUMB / Math.max(width, height);
  setSize(canvas, Math.round(width * scale), Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = true;
  context.drawImage(fade(photo), 0, 0, canvas.width, canvas.height);
  lay(canvas, values, grid);
}

/** Colours of a photo at a size, four bytes per pixel. */
export function photoPixels(photo, [h, w]) {
  const canvas = make("canvas", { width: w, height: h });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(photo, 0, 0, w, h);
  return context.getImageData(0, 0, w, h).data;
}

/** Labels in class colours over a dimmed photo, as Python's show_mask mixes them. */
export function drawLabels(canvas, pixels, labels, grid, colours) {
  drawPixels(canvas, grid, (i) => {
    const label = labels[i];
    const paint = label === 255 ? [255, 255, 255] : colours[label];
    const photo = [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]];
    return label === 0
      ? photo.map((v) => Math.floor(0.45 * v))
      : photo.map((v, k) => Math.floor(0.35 * v + 0.65 * paint[k]));
  });
}

/** What the colours of HEAT mean, from little to much. */
export function heatLegend(low, high) {
  const stops = [0, 64, 128, 192, 255].map((v) => `rgb(${HEAT[v].join(",")})`);
  const bar = make("span", { class: "wt-ramp", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return make("span", { class: "wt-heat" }, low, bar, high);
}

/** A coloured square and a name for each label. */
export function classLegend(ids, names, colours) {
  const items = ids.map((id) => {
    const swatch = make("span", { class: "wt-swatch", "aria-hidden": "true" });
    swatch.style.background = `rgb(${colours[id].join(",")})`;
    return make("li", {}, swatch, names[id]);
  });
  return make("ul", { class: "wt-classes" }, ...items);
}

/** Background of HEAT at 0 .. 1 and the ink that reads on it, as a style. */
export function heatStyle(share) {
  const colour = HEAT[Math.floor(255 * Math.min(1, Math.max(0, share)) + 0.5)];
  const linear = colour.map((c) =>
    c / 255 <= 0.04 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4,
  );
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return `background: rgb(${colour.join(", ")}); color: ${light > 0.18 ? "#000" : "#fff"}`;
}
