// A reader's file -> pixels that the network can look at, or one sentence that says why not.

import { claimedSize } from "./picture_size.js";

const MOST_BYTES = 50e6;
const MOST_PIXELS = 12e6; // beyond, the browser makes it smaller first
const MOST_DECODED = 100e6; // pixels; their colours alone take 400 MB
const HEAD = 262144; // bytes, in which a file says what it is
const LEAST_SIDE = 14;
const LONGEST = 20; // times the shorter side
export const MOST_PATCHES = 256;

/** What is wrong with a reader's picture: shown as it is. */
export class PictureError extends Error {}

const KINDS = [
  ["image/jpeg", (b) => b[0] === 0xff && b[1] === 0xd8],
  ["image/png", (b) => b[0] === 0x89 && text(b, 1, 3) === "PNG"],
  ["image/gif", (b) => text(b, 0, 4) === "GIF8"],
  ["image/webp", (b) => text(b, 0, 4) === "RIFF" && text(b, 8, 4) === "WEBP"],
  ["image/bmp", (b) => text(b, 0, 2) === "BM"],
  ["image/avif", (b) => text(b, 4, 4) === "ftyp" && /avi[fs]/.test(text(b, 8, 8))],
];
const OTHERS = [
  [
    "a HEIC photo, which browsers cannot read: save it as JPEG",
    (b) => text(b, 4, 4) === "ftyp" && /hei[cx]|mif1|msf1/.test(text(b, 8, 4)),
  ],
  [
    "an SVG drawing; photos are JPEG, PNG, WebP, GIF, BMP or AVIF",
    (b) => /<svg|<\?xml|<!DOCTYPE svg/i.test(text(b, 0, 200)),
  ],
  [
    "a PDF document; photos are JPEG, PNG, WebP, GIF, BMP or AVIF",
    (b) => text(b, 0, 4) === "%PDF",
  ],
  [
    "a TIFF picture, which browsers cannot read: save it as JPEG or PNG",
    (b) => ["II*\0", "MM\0*"].includes(text(b, 0, 4)),
  ],
];

const text = (bytes, start, length) =>
  String.fromCharCode(...bytes.subarray(start, start + length));

/** The kind of picture in a file, by its first bytes: names and types are often wrong. */
export function kindOf(bytes) {
  const found = KINDS.find(([, fits]) => fits(bytes));
  if (found) return found[0];
  const other = OTHERS.find(([, fits]) => fits(bytes));
  throw new PictureError(
    `is ${other ? other[0] : "no picture; photos are JPEG, PNG, WebP, GIF, BMP or AVIF"}`,
  );
}

/** Throw PictureError for a size that nothing can be made of. */
export function checkSize(width, height) {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  if (width * height > MOST_DECODED)
    throw new PictureError(
      `has ${Math.round((width * height) / 1e6)} megapixels; 100 are the most`,
    );
  if (short < LEAST_SIDE)
    throw new PictureError(
      `is ${width} × ${height} pixels; a patch alone is ${LEAST_SIDE}`,
    );
  if (long > LONGEST * short)
    throw new PictureError(`is ${width} × ${height} pixels, too long a strip to look at`);
}

/** [h, w] patches whose shape is the photo's, at most `most` in all. */
export function gridOf(width, height, most = MOST_PATCHES) {
  let best = [1, 1];
  let least = Number.POSITIVE_INFINITY;
  for (let h = 1; h <= most; h++) {
    const w = Math.max(1, Math.min(Math.floor(most / h), Math.round((h * width) / height)));
    const shape = Math.abs(Math.log((w * height) / (h * width)));
    // a better shape is worth some patches, but not most of them
    const cost = shape + 0.5 * Math.abs(Math.log((h * w) / most));
    if (cost < least) [best, least] = [[h, w], cost];
  }
  return best;
}

/**
 * Read a file.
 *
 * @returns `canvas` with the upright photo on white, as large as it is shown and saved,
 *   and `smaller`, whether that is less than the file's own size.
 */
export async function readPicture(file) {
  const name = file.name || "the picture";
  try {
    if (!file.size) throw new PictureError("is empty");
    if (file.size > MOST_BYTES)
      throw new PictureError(`has ${Math.round(file.size / 1e6)} MB; 50 MB are the most`);
    const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
    const type = kindOf(head);
    const claimed = claimedSize(head, type);
    if (claimed) checkSize(...claimed);
    const bitmap = await decode(new Blob([file], { type }));
    checkSize(bitmap.width, bitmap.height);
    return paint(bitmap);
  } catch (error) {
    if (error instanceof PictureError) throw new PictureError(`${name} ${error.message}.`);
    throw error;
  }
}

async function decode(blob) {
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new PictureError("is broken: your browser cannot read it");
  }
}

function paint(bitmap) {
  const factor = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(bitmap.width * factor));
  canvas.height = Math.max(1, Math.floor(bitmap.height * factor));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return { canvas, smaller: factor < 1 };
}

/** A canvas' bytes, four a pixel. */
export const rgbaOf = (canvas) =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
