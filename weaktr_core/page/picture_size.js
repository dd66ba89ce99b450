// How many pixels a file claims to have, before anything of it is decoded: some kilobytes
// can unfold to gigabytes.

const text = (bytes, start, length) =>
  String.fromCharCode(...bytes.subarray(start, start + length));

/** [width, height] as the file's head has them; null where it does not say. */
export function claimedSize(bytes, type) {
  const read = READERS[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return read ? read(view, bytes) : null;
  } catch {
    return null; // too short: the decoder will say so
  }
}

const READERS = {
  "image/png": (view) => [view.getUint32(16), view.getUint32(20)],
  "image/gif": (view) => [view.getUint16(6, true), view.getUint16(8, true)],
  "image/bmp": (view) => [view.getInt32(18, true), Math.abs(view.getInt32(22, true))],
  "image/webp": webp,
  "image/jpeg": jpeg,
};

function webp(view, bytes) {
  const three = (at) => view.getUint16(at, true) + 65536 * view.getUint8(at + 2);
  const kind = text(bytes, 12, 4);
  if (kind === "VP8X") return [three(24) + 1, three(27) + 1];
  if (kind === "VP8 ")
    return [view.getUint16(26, true) & 16383, view.getUint16(28, true) & 16383];
  const bits = view.getUint32(21, true);
  return [(bits & 16383) + 1, ((bits >>> 14) & 16383) + 1];
}

/** From segment to segment until the one that begins a frame. */
function jpeg(view) {
  let at = 2;
  while (view.getUint8(at) === 255) {
    const marker = view.getUint8(at + 1);
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}
