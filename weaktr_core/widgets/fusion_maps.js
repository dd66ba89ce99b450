// The three maps of a photo from all heads and a weight for each.

import { places } from "./scores.js";
import { expand, loadImage, unpack, unpackRows } from "./shared.js";

/** A photo with its arrays unpacked. */
export async function openPhoto(p) {
  const [cross, patch, coarse, truth, image] = await Promise.all([
    unpackRows(p.cross),
    p.patch && unpackRows(p.patch),
    unpackRows(p.coarse),
    unpack(p.mask),
    loadImage(p.jpeg),
  ]);
  const count = p.grid[0] * p.grid[1];
  return {
    ...p,
    count,
    crossRows: cross,
    patchRows: patch,
    coarseMap: expand(coarse, count),
    truth,
    image,
    rows: places(p.grid[0], p.mask.shape[0]),
    columns: places(p.grid[1], p.mask.shape[1]),
  };
}

/** The part of (classes, patches) numbers that is of one class. */
export const ofClass = (p, maps, c) => maps.subarray(c * p.count, (c + 1) * p.count);

/** A class token's attention through one head -> numbers of the patches. */
export function headMap(p, head, shown) {
  const { codes, values } = p.crossRows;
  const from = (head * p.classes.length + shown) * p.count;
  return Float64Array.from(codes.subarray(from, from + p.count), (code) => values[code]);
}

/** Σ w·row over heads: rows (heads, perHead, width) -> perHead·width numbers. */
function weighted({ codes, scale, values }, weights, width, perHead) {
  const total = new Float64Array(perHead * width);
  weights.forEach((weight, head) => {
    if (weight === 0) return;
    for (let r = 0; r < perHead; r++) {
      const row = head * perHead + r;
      const from = row * width;
      const factor = (weight * scale[row]) / weights.length;
      for (let n = 0; n < width; n++)
        total[r * width + n] += factor * values[codes[from + n]];
    }
  });
  return total;
}

/** No patch counts for more than `cap` means of its map; null: as it is. In place. */
export function capMaps(maps, count, cap) {
  if (cap === null) return maps;
  for (let from = 0; from < maps.length; from += count) {
    const row = maps.subarray(from, from + count);
    const most = (cap * row.reduce((a, b) => a + b, 0)) / count;
    row.forEach((v, n) => {
      row[n] = Math.min(v, most);
    });
  }
  return maps;
}

/** Each patch gathers the map of the patches that it looks at: affinity (N, N) · maps. */
export function gather(affinity, maps, count) {
  const found = new Float64Array(maps.length);
  for (let from = 0; from < maps.length; from += count)
    for (let n = 0; n < count; n++) {
      let sum = 0;
      for (let m = 0; m < count; m++) sum += affinity[n * count + m] * maps[from + m];
      found[from + n] = sum;
    }
  return found;
}

/** The maps of a photo by stage, each (classes, patches). */
export function fuse(p, weights, cap) {
  const { count } = p;
  const cross = capMaps(
    weighted(p.crossRows, weights, count, p.classes.length),
    count,
    cap,
  );
  const cam = cross.map((v, i) => v * p.coarseMap[i]);
  if (!p.patchRows) return { cross_attention: cross, cam };
  const affinity = weighted(p.patchRows, weights, count, count);
  return { cross_attention: cross, cam, fine_cam: gather(affinity, cam, count) };
}
