// A packed network, see packing.py: a safetensors file whose bytes lie in the kernel.

/** Its description alone: {about, tensors, start} of the file's bytes. */
export function readHeader(bytes) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const { __metadata__: metadata, ...tensors } = JSON.parse(text);
  return { about: JSON.parse(metadata.weaktr), tensors, start: 8 + length };
}

/**
 * Put a network into a kernel's memory.
 *
 * @returns `about`, `at(name)`, the place of a tensor, and `values(name)`, its floats,
 *   made of bytes and their rows' scales where it is stored so.
 */
export function openNetwork(kernel, bytes) {
  const { about, tensors, start } = readHeader(bytes);
  const base = kernel.putBytes(bytes.subarray(start));
  const find = (name) => {
    if (!(name in tensors)) throw new Error(`the network has no ${name}`);
    return tensors[name];
  };
  const at = (name) => base + find(name).data_offsets[0];
  function values(name) {
    const { dtype, shape } = find(name);
    const count = shape.reduce((a, b) => a * b, 1);
    if (dtype === "F32") return kernel.copy(at(name), count);
    const scale = values(name.replace(/(\.weight)?$/, ".scale"));
    const wide = count / scale.length;
    return Float32Array.from(
      kernel.bytes(at(name), count),
      (v, i) => v * scale[Math.floor(i / wide)],
    );
  }
  return { about, at, values };
}
