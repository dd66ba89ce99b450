// What patches look like from inside: how alike two of them are, and colours for it.

/** Which columns of qkv hold what. */
const COLUMNS = { query: 0, key: 1, value: 2 };
export const FEATURES = [...Object.keys(COLUMNS), "output"];

/** (N, D) features of a photo's patches: q, k, v or the output of a layer. */
export function patchFeatures({ layers, grid }, layer, kind, { heads, dim, classes }) {
  const D = heads * dim;
  const N = grid[0] * grid[1];
  const source = kind === "output" ? layers[layer].output : layers[layer].qkv;
  const [step, first] = kind === "output" ? [D, 0] : [3 * D, COLUMNS[kind] * D];
  const out = new Float32Array(N * D);
  for (let i = 0; i < N; i++) {
    const from = (classes.length + i) * step + first;
    out.set(source.subarray(from, from + D), i * D);
  }
  return out;
}

/** Cosine of one patch of a photo with each patch of another (N), from -1 to 1. */
export function similarities(one, two, patch, layer, kind, about) {
  const D = about.heads * about.dim;
  const asked = patchFeatures(one, layer, kind, about).subarray(patch * D, (patch + 1) * D);
  const there = patchFeatures(two, layer, kind, about);
  const size = Math.hypot(...asked);
  return Float32Array.from({ length: there.length / D }, (_, i) => {
    let [dot, square] = [0, 0];
    for (let d = 0; d < D; d++) {
      const value = there[i * D + d];
      dot += asked[d] * value;
      square += value * value;
    }
    return dot / (size * Math.sqrt(square) || 1);
  });
}

/**
 * The three directions in which the patches of all photos differ most, as red, green and
 * blue: one set of colours for all, so that alike means alike across photos.
 *
 * @returns for each photo (N, 3) bytes.
 */
export function colours(seen, layer, kind, about) {
  const D = about.heads * about.dim;
  const each = seen.map((one) => patchFeatures(one, layer, kind, about));
  const all = new Float32Array(each.reduce((sum, f) => sum + f.length, 0));
  let at = 0;
  for (const features of each) {
    all.set(features, at);
    at += features.length;
  }
  centre(all, D);
  const axes = principalAxes(all, D, 3).map((axis) => spread(project(all, axis)));
  let start = 0;
  return each.map((features) => {
    const first = start;
    start += features.length / D;
    return Uint8Array.from(
      { length: (3 * features.length) / D },
      (_, i) => axes[i % 3][first + Math.floor(i / 3)],
    );
  });
}

function centre(rows, D) {
  const mean = new Float64Array(D);
  for (let i = 0; i < rows.length; i++) mean[i % D] += rows[i];
  for (let i = 0; i < rows.length; i++) rows[i] -= (mean[i % D] * D) / rows.length;
}

const project = (rows, axis) =>
  Float64Array.from({ length: rows.length / axis.length }, (_, i) => {
    let sum = 0;
    for (let d = 0; d < axis.length; d++) sum += rows[i * axis.length + d] * axis[d];
    return sum;
  });

/** By power iteration; what was found is taken out before the next. */
function principalAxes(rows, D, count, rounds = 40) {
  const rest = Float32Array.from(rows);
  return Array.from({ length: count }, (_, n) => {
    let axis = Float64Array.from({ length: D }, (_, d) => Math.cos(d * (n + 1)));
    for (let round = 0; round < rounds; round++) {
      const along = project(rest, axis);
      const next = new Float64Array(D);
      along.forEach((value, i) => {
        for (let d = 0; d < D; d++) next[d] += value * rest[i * D + d];
      });
      const size = Math.hypot(...next) || 1;
      axis = next.map((v) => v / size);
    }
    // a sign of its own, so that colours do not flip from one photo to the next
    if (axis.reduce((a, b) => a + b, 0) < 0) axis = axis.map((v) => -v);
    const along = project(rest, axis);
    for (let i = 0; i < rest.length; i++) rest[i] -= along[Math.floor(i / D)] * axis[i % D];
    return axis;
  });
}

/** To bytes; 1 % at each end may be cut, one odd patch must not leave the rest grey. */
function spread(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const [low, high] = [at(0.01), at(0.99)];
  return Uint8ClampedArray.from(values, (v) => (255 * (v - low)) / (high - low || 1));
}
