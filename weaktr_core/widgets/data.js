// From what Python packed to typed arrays, see pack.py.

/** {data: "zlib:<base64>" of uint8, row-major, shape} -> Uint8Array. */
export async function unpack({ data, shape }) {
  const bytes = Uint8Array.from(atob(data.slice(5)), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  const open = stream.pipeThrough(new DecompressionStream("deflate"));
  const flat = new Uint8Array(await new Response(open).arrayBuffer());
  const expected = shape.reduce((a, b) => a * b, 1);
  if (flat.length !== expected)
    throw new Error(`expected ${expected} values, came ${flat.length}`);
  return flat;
}

/** Rows that keep their scale: value = scale[row] * values[code]. */
export async function unpackRows({ codes, tops, top, values }) {
  const [flat, rough] = await Promise.all([unpack(codes), unpack(tops)]);
  const scale = Float64Array.from(rough, (t) => top * (t / 255) ** 2);
  return { codes: flat, scale, values: Float64Array.from(values) };
}

/** The numbers of rows that keep their scale, `width` a row -> Float64Array. */
export function expand({ codes, scale, values }, width) {
  return Float64Array.from(codes, (code, i) => scale[Math.floor(i / width)] * values[code]);
}

/** 0 .. largest value -> 0 .. 255, for drawMap and drawOverlay. `top`: what becomes 255. */
export function toBytes(values, top = values.reduce((a, b) => Math.max(a, b), 0)) {
  const full = Math.max(top, 1e-30);
  const bytes = new Uint8Array(values.length); // a loop: `from` is ten times slower
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Math.floor(255 * Math.min(Math.max(values[i], 0) / full, 1) + 0.5);
  return bytes;
}

/** Data URI -> image that can be drawn. */
export async function loadImage(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

/** Index of the value that is closest. */
export function nearest(values, wanted) {
  const away = (v) => Math.abs(v - wanted);
  return values.reduce((best, v, i) => (away(v) < away(values[best]) ? i : best), 0);
}

/** 0.256 -> "26 %". */
export const percent = (share) => `${Math.round(100 * share)} %`;

/** "layer 2, head 1" of the i-th head, layer slow. */
export const headName = (i, heads) =>
  `layer ${Math.floor(i / heads) + 1}, head ${(i % heads) + 1}`;
