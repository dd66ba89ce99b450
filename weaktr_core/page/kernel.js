// kernel.wasm with its memory: arrays are places in it, taken one after the other.

const PAGE = 65536; // bytes; WebAssembly's memory grows in such pages
const LINE = 16; // bytes; arrays begin on a multiple

/** The bytes of kernel.wasm -> what computes. */
export async function openKernel(wasm) {
  const { instance } = await WebAssembly.instantiate(wasm, {});
  const { memory, heap_base: base, ...verbs } = instance.exports;
  let next = Math.ceil(base() / LINE) * LINE;

  /** Room for so many bytes -> where it begins. */
  function take(bytes) {
    const start = next;
    next += Math.ceil(bytes / LINE) * LINE;
    const missing = next - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    return start;
  }
  /** Room for so many floats. */
  const floats = (count) => take(4 * count);
  /** Floats at a place; a growing memory makes old views empty, so ask each time. */
  const view = (start, count) => new Float32Array(memory.buffer, start, count);
  /** Signed bytes at a place. */
  const bytes = (start, count) => new Int8Array(memory.buffer, start, count);
  /** Floats at a place, to keep. */
  const copy = (start, count) => view(start, count).slice();
  /** Floats into a place of their own. */
  function put(values) {
    const start = floats(values.length);
    view(start, values.length).set(values);
    return start;
  }
  /** Bytes into a place of their own. */
  function putBytes(values) {
    const start = take(values.length);
    new Uint8Array(memory.buffer, start, values.length).set(values);
    return start;
  }
  /** Do something, then give back what it took. */
  function scratch(work) {
    const mark = next;
    try {
      return work();
    } finally {
      next = mark;
    }
  }
  return { ...verbs, floats, view, bytes, copy, put, putBytes, scratch };
}
