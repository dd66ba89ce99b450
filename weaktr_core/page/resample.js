// Bicubic resampling as Pillow does it, antialiased; canvases differ by up to 50 levels.

const SHARP = -0.5; // the cubic's free parameter

function cubic(x) {
  const d = Math.abs(x);
  if (d < 1) return ((SHARP + 2) * d - (SHARP + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * SHARP;
  return 0;
}

/** For each of `to` samples on an axis: the first of the `from` it sees, and weights. */
export function taps(from, to) {
  const scale = from / to;
  const wide = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - 2 * wide + 0.5));
    const end = Math.min(from, Math.floor(centre + 2 * wide + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) =>
      cubic((first + k - centre + 0.5) / wide),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((w) => w / sum) };
  });
}

/** One axis of (outer, from, inner) -> (outer, to, inner). `keep` rounds, or not. */
function along(values, outer, from, inner, to, Kind, keep) {
  const out = new Kind(outer * to * inner);
  const axis = taps(from, to);
  for (let o = 0; o < outer; o++)
    axis.forEach(({ first, weights }, i) => {
      const target = (o * to + i) * inner;
      for (let c = 0; c < inner; c++) {
        let sum = 0;
        let source = (o * from + first) * inner + c;
        for (const weight of weights) {
          sum += weight * values[source];
          source += inner;
        }
        out[target + c] = keep(sum);
      }
    });
  return out;
}

/** (h, w, channels) -> (to[0], to[1], channels), columns first. */
function resample(values, [h, w], [high, wide], channels, Kind, keep) {
  const narrow = w === wide ? values : along(values, h, w, channels, wide, Kind, keep);
  return h === high ? narrow : along(narrow, 1, h, wide * channels, high, Kind, keep);
}

/** Floats, as they come: tables of positions. */
export const resampleFloats = (values, from, to, channels) =>
  resample(values, from, to, channels, Float32Array, (v) => v);

/** Bytes, rounded after each axis: pictures. */
export const resampleBytes = (values, from, to, channels) =>
  resample(values, from, to, channels, Uint8ClampedArray, (v) => Math.floor(v + 0.5));

/** Four bytes a pixel -> three; what was transparent is painted over already. */
function withoutOpacity(rgba) {
  const out = new Uint8ClampedArray((3 * rgba.length) / 4);
  for (let i = 0, k = 0; i < rgba.length; i++) if (i % 4 < 3) out[k++] = rgba[i];
  return out;
}

/** What a network sees of a photo: (h·patch, w·patch, 3) bytes. */
export const pixelsFor = (rgba, size, [h, w], patch) =>
  resampleBytes(withoutOpacity(rgba), size, [h * patch, w * patch], 3);
