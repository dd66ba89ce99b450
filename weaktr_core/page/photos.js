// One shape for all photos: those that came with the page, and the reader's own.

import { expand, loadImage, make, unpackRows } from "../widgets/shared.js";
import { stages, summing } from "./mixing.js";
import { gridOf, readPicture, rgbaOf } from "./picture.js";

const SHOWN = 720; // pixels of the longer side on the screen
const LIKELY = 0.5; // a tag that is believed in

/** A sample of sample.py -> a photo. */
export async function openSample(sample, about) {
  const image = await loadImage(sample.jpeg);
  const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, 0, 0);
  const [patches, tokens] = await Promise.all([
    sample.patchRows && unpackRows(sample.patchRows), // in some chapters there are none
    unpackRows(sample.tokenRows),
  ]);
  const N = sample.grid[0] * sample.grid[1];
  const place = (k) => sample.classes.indexOf(k);
  const tokenRows = expand(tokens, N);
  const one = about.layers * about.heads * N;
  return photo(about, {
    ...sample,
    canvas,
    sample: true,
    patchRows: patches && Float32Array.from(expand(patches, N)),
    rowsOf: (k) => tokenRows.subarray(place(k) * one, (place(k) + 1) * one),
    evidenceOf: (k) => sample.evidence.slice(place(k) * N, (place(k) + 1) * N),
    affinity: sample.affinity && expand(await unpackRows(sample.affinity), N),
  });
}

/**
 * A reader's file -> a photo, looked at by the network.
 *
 * @param ask of the worker.
 * @param id what the worker knows it by.
 */
export async function openFile(file, id, about, ask, progress) {
  const { canvas, smaller } = await readPicture(file);
  return look({ name: file.name || "photo", canvas, smaller }, id, about, ask, progress);
}

/** Let the network look at a canvas that is there already; [h, w] patches, or as fits. */
export async function look(given, id, about, ask, progress, wanted = null) {
  const { name, credit, canvas, smaller } = given;
  const grid = wanted ?? gridOf(canvas.width, canvas.height);
  const rgba = rgbaOf(canvas);
  const size = [canvas.height, canvas.width];
  const asked = { photo: id, rgba, size, grid };
  const seen = await ask("look", asked, [rgba.buffer], progress);
  const N = grid[0] * grid[1];
  const one = about.layers * about.heads * N;
  return photo(about, {
    name,
    credit,
    canvas,
    smaller,
    grid,
    id,
    sample: false,
    probabilities: Array.from(seen.logits, (v) => 1 / (1 + Math.exp(-v))),
    learned: Array.from(seen.learned),
    classes: about.classes.map((_, k) => k),
    patchRows: seen.patchRows,
    rowsOf: (k) => seen.tokenRows.subarray(k * one, (k + 1) * one),
    evidenceOf: (k) => seen.evidence.subarray(k * N, (k + 1) * N),
    affinity: seen.affinity,
  });
}

/** What all have in common: a picture for the screen, tags, and maps of any setting. */
function photo(about, given) {
  const N = given.grid[0] * given.grid[1];
  return {
    ...given,
    N,
    shown: shrink(given.canvas),
    tags: found(given.probabilities, given.classes),
    ...mixer(given, about.layers * about.heads, N, about.cap),
  };
}

/** Classes the network believes in, and always the likeliest. */
function found(probabilities, classes) {
  const order = [...classes].sort((a, b) => probabilities[b] - probabilities[a]);
  return order.filter((k, place) => !place || probabilities[k] >= LIKELY);
}

/** `mapsOf(k, setting)`: all stages of a class; what did not change is kept. */
function mixer({ patchRows, rowsOf, evidenceOf, affinity }, heads, N, cap) {
  // how alike patches are does not depend on the heads' weights
  const fuse = affinity ? () => affinity : summing(patchRows, heads, N);
  const crosses = new Map();
  let last = null;
  let fused = null;
  const mapsOf = (k, setting) => {
    if (setting !== last) [last, fused] = [setting, fuse(setting)];
    if (!crosses.has(k)) crosses.set(k, summing(rowsOf(k), heads, N));
    return stages(crosses.get(k)(setting), evidenceOf(k), fused, cap);
  };
  return { mapsOf };
}

/** A copy that is quick to draw; drawing asks for naturalWidth, as images have it. */
function shrink(canvas) {
  const factor = Math.min(1, SHOWN / Math.max(canvas.width, canvas.height));
  const small = make("canvas");
  small.width = Math.max(1, Math.round(canvas.width * factor));
  small.height = Math.max(1, Math.round(canvas.height * factor));
  const context = small.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, small.width, small.height);
  small.naturalWidth = small.width;
  small.naturalHeight = small.height;
  return small;
}
