// A scene of the book's objects on a ground, as data/scenes/scenes.py puts it together.
//
// A thing is {sprite, x, y, size, flip}: the index of its sprite, its centre and the
// length of a drawing's unit in shares of the picture's side.

import { make } from "../widgets/shared.js";

export const SIDE = 336; // pixels; the network sees half as many a side
const SOLID = 128; // opacity from which a pixel is the thing's own
const DARK = 0.42; // of a shadow, where it is darkest

/** [left, top, width, height] of a thing in a picture with `side` pixels a side. */
export function boxOf({ sprite, x, y, size }, sprites, side) {
  const { image, unit } = sprites[sprite];
  const scale = (size * side) / unit;
  const [wide, high] = [image.width * scale, image.height * scale];
  return [x * side - wide / 2, y * side - high / 2, wide, high];
}

/** Those whose lower edge is lower are nearer, and come later. */
export function inOrder(things, sprites) {
  const foot = (thing) => {
    const [, top, , high] = boxOf(thing, sprites, 1);
    return top + high;
  };
  return [...things].sort((a, b) => foot(a) - foot(b));
}

function drawThing(context, thing, sprites, side) {
  const [left, top, wide, high] = boxOf(thing, sprites, side);
  context.save();
  context.imageSmoothingQuality = "high";
  context.translate(left + wide / 2, top);
  if (thing.flip) context.scale(-1, 1);
  context.drawImage(sprites[thing.sprite].image, -wide / 2, 0, wide, high);
  context.restore();
}

/** Darken the ground softly beneath a thing; beyond some widths nothing would be seen. */
function shade(context, thing, sprites) {
  const [left, top, wide, high] = boxOf(thing, sprites, SIDE);
  const [x0, y0] = [Math.round(left - 0.2 * wide), Math.round(top + 0.72 * high)];
  const [w, h] = [Math.ceil(1.4 * wide), Math.ceil(0.5 * high)];
  const picture = context.getImageData(x0, y0, w, h);
  const along = (v, power) => Math.exp(-(Math.abs(v) ** power));
  const across = Float32Array.from({ length: w }, (_, x) =>
    along((x0 + x - (left + 0.5 * wide)) / (0.38 * wide), 4),
  );
  for (let y = 0, i = 0; y < h; y++) {
    const down = DARK * along((y0 + y - (top + 0.97 * high)) / (0.09 * high), 2);
    for (let x = 0; x < w; x++, i += 4)
      for (let c = i; c < i + 3; c++) picture.data[c] *= 1 - down * across[x];
  }
  context.putImageData(picture, x0, y0);
}

/** The picture on a canvas of its own. */
export function drawScene(ground, things, sprites) {
  const canvas = make("canvas", { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(ground, 0, 0, SIDE, SIDE);
  for (const thing of inOrder(things, sprites)) {
    shade(context, thing, sprites);
    drawThing(context, thing, sprites, SIDE);
  }
  return canvas;
}

/** What `solidOf` (a thing's opacities, side²) makes visible: 0 ground, 1 + class. */
export function layer(things, sprites, side, solidOf) {
  const labels = new Uint8Array(side * side);
  for (const thing of inOrder(things, sprites)) {
    const opacity = solidOf(thing);
    for (let i = 0; i < labels.length; i++)
      if (opacity[i] >= SOLID) labels[i] = sprites[thing.sprite].k + 1;
  }
  return labels;
}

/** The true mask (side²): every thing's own pixels, the nearer over the farther. */
export function trueMask(things, sprites, side) {
  const canvas = make("canvas", { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return layer(things, sprites, side, (thing) => {
    context.clearRect(0, 0, side, side);
    drawThing(context, thing, sprites, side);
    const { data } = context.getImageData(0, 0, side, side);
    return Uint8Array.from({ length: side * side }, (_, i) => data[4 * i + 3]);
  });
}

/** Index of the nearest thing at a place in shares of the side; -1 on the ground. */
export function thingAt(things, sprites, [x, y]) {
  const order = inOrder(things, sprites);
  const found = order.findLast((thing) => {
    const [left, top, wide, high] = boxOf(thing, sprites, 1);
    return x >= left && x <= left + wide && y >= top && y <= top + high;
  });
  return things.indexOf(found);
}

/** A frame around the chosen thing, which is no part of the picture. */
export function markThing(canvas, thing, sprites) {
  const context = canvas.getContext("2d");
  for (const [colour, width] of [
    ["#000", 4],
    ["#7df9ff", 2],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(...boxOf(thing, sprites, SIDE));
  }
}
