// The network's own thread: messages come in, arrays go back.

import { colours, similarities } from "./features.js";
import { pixelsFor } from "./resample.js";
import { openVit } from "./vit.js";

let vit = null;
const photos = new Map();

/** What a page can ask for. Each returns [value, buffers that go along with it]. */
const VERBS = {
  async open({ wasm, bytes }) {
    vit = await openVit(wasm, bytes);
    return [vit.about, []];
  },

  /** `rgba`: a photo's bytes at its own `size`, made smaller here. */
  look({ photo, rgba, size, grid }, progress) {
    const seen = vit.look(pixelsFor(rgba, size, grid, vit.about.patch), grid, progress);
    photos.set(photo, seen);
    const { logits, evidence, affinity, learned } = seen;
    const { tokenRows, patchRows } = allRows(seen);
    const value = { logits, evidence, affinity, learned, tokenRows, patchRows };
    return [value, [tokenRows.buffer, patchRows.buffer]];
  },

  /** How alike the patches of `other` are to one patch of `photo`. */
  match({ photo, other, patch, layer, kind }) {
    const [one, two] = [photos.get(photo), photos.get(other)];
    const values = similarities(one, two, patch, layer, kind, vit.about);
    return [values, [values.buffer]];
  },

  /** Colours of the patches of some photos, alike where features are. */
  colour({ photos: names, layer, kind }) {
    const seen = names.map((name) => photos.get(name));
    return [colours(seen, layer, kind, vit.about), []];
  },

  forget({ photo }) {
    photos.delete(photo);
    return [null, []];
  },
};

/** Attention of all heads: class tokens (K, L·H, N), patches (L·H, N, N), to patches. */
function allRows(seen) {
  const { layers, heads, classes } = vit.about;
  const K = classes.length;
  const N = seen.grid[0] * seen.grid[1];
  const all = layers * heads;
  const tokenRows = new Float32Array(K * all * N);
  const patchRows = new Float32Array(all * N * N);
  for (let i = 0; i < all; i++) {
    const rows = vit.rows(seen, Math.floor(i / heads), i % heads, 0, K + N);
    for (let t = 0; t < K + N; t++) {
      const row = rows.subarray(t * (K + N) + K, (t + 1) * (K + N));
      if (t < K) tokenRows.set(row, (t * all + i) * N);
      else patchRows.set(row, (i * N + t - K) * N);
    }
  }
  return { tokenRows, patchRows };
}

self.onmessage = async ({ data: { id, verb, given } }) => {
  try {
    const progress = (step) => self.postMessage({ id, step });
    const [value, moved] = await VERBS[verb](given, progress);
    self.postMessage({ id, value }, moved);
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};
