// The network, layer by layer; kernel.c does what is done n times.
//
// K classes, N = h·w patches, T = K + N tokens, D = heads · dim channels.

import { beliefs, evidenceOf } from "./evidence.js";
import { openKernel } from "./kernel.js";
import { openNetwork } from "./network.js";
import { resampleFloats } from "./resample.js";
import { headWeights, pool } from "./weighing.js";

const POWER = 8; // of cosines: the higher, the fewer patches are alike

/**
 * A network that is ready to look at pictures.
 *
 * @param wasm bytes of kernel.wasm.
 * @param bytes of the network, uncompressed.
 * @returns `about`, `look(pixels, grid, progress)` and `rows(seen, layer, head, first, R)`,
 *   see below.
 */
export async function openVit(wasm, bytes) {
  const kernel = await openKernel(wasm);
  const network = openNetwork(kernel, bytes);
  const { about } = network;
  const K = about.classes.length;
  const vit = {
    kernel,
    network,
    about,
    D: about.heads * about.dim,
    K,
    C: K + (about.background ? 1 : 0),
  };
  return {
    about,
    look: (...given) => look(vit, ...given),
    rows: (...given) => rowsOf(vit, ...given),
  };
}

/** y (T, M) = x (T, from) times a matrix of the network, plus its bias. */
function linear({ kernel, network }, name, T, from, M, x, y) {
  const at = (part) => network.at(`${name}.${part}`);
  kernel.linear(T, from, M, x, at("weight"), at("scale"), at("bias"), y);
}

function norm({ kernel, network, about, D }, name, T, x, y) {
  const at = (part) => network.at(`${name}.${part}`);
  kernel.layer_norm(T, D, x, at("weight"), at("bias"), about.epsilon, y);
}

/** The table of positions for a grid: class rows as they are, patches resampled. */
function positions({ network, about, D, K }, [h, w]) {
  const table = network.values("pos_embed");
  const [rows, columns] = about.grid;
  if (rows === h && columns === w) return table;
  const patches = resampleFloats(table.subarray(K * D), [rows, columns], [h, w], D);
  const all = new Float32Array(K * D + patches.length);
  all.set(table.subarray(0, K * D));
  all.set(patches, K * D);
  return all;
}

/** Tokens (T, D) at a place: class tokens, then patches, each with its position. */
function embed(vit, pixels, grid, x) {
  const { kernel, network, about, D, K } = vit;
  const N = grid[0] * grid[1];
  const wide = 3 * about.patch ** 2;
  kernel.scratch(() => {
    const cut = kernel.put(cutPatches(pixels, grid, about));
    linear(vit, "patch_embed.proj", N, wide, D, cut, x + 4 * K * D);
  });
  const tokens = kernel.view(x, (K + N) * D);
  tokens.set(network.values("cls_token"));
  const table = positions(vit, grid);
  for (let i = 0; i < tokens.length; i++) tokens[i] += table[i];
}

/** What each head gathers (T, D) from q, k, v (T, 3D). */
function attend({ kernel, about, D }, T, qkv, gathered) {
  const { heads, dim } = about;
  const rows = kernel.floats(T * T);
  for (let head = 0; head < heads; head++) {
    const q = qkv + 4 * head * dim;
    kernel.attention(0, T, T, dim, 3 * D, q, q + 4 * D, rows);
    kernel.gather(T, T, dim, rows, q + 8 * D, 3 * D, gathered + 4 * head * dim, D);
  }
}

/** x (T, D) <- x + block(x); what an explorer asks for is kept. */
function block(vit, index, T, x) {
  const { kernel, D } = vit;
  const name = `blocks.${index}`;
  const seen = kernel.floats(T * D);
  const qkv = kernel.floats(3 * T * D);
  const gathered = kernel.floats(T * D);
  const wide = kernel.floats(4 * T * D);
  norm(vit, `${name}.norm1`, T, x, seen);
  linear(vit, `${name}.attn.qkv`, T, D, 3 * D, seen, qkv);
  attend(vit, T, qkv, gathered);
  linear(vit, `${name}.attn.proj`, T, D, D, gathered, seen);
  add(kernel, x, seen, T * D);
  norm(vit, `${name}.norm2`, T, x, seen);
  linear(vit, `${name}.mlp.fc1`, T, D, 4 * D, seen, wide);
  kernel.gelu(4 * T * D, wide);
  linear(vit, `${name}.mlp.fc2`, T, 4 * D, D, wide, seen);
  add(kernel, x, seen, T * D);
  return {
    qkv: kernel.copy(qkv, 3 * T * D),
    gathered: kernel.copy(gathered, T * D),
    output: kernel.copy(x, T * D),
  };
}

function add(kernel, x, change, count) {
  const [target, source] = [kernel.view(x, count), kernel.view(change, count)];
  for (let i = 0; i < count; i++) target[i] += source[i];
}

/** One logit a class, from its token. */
function classLogits({ network, about, D, K }, tokens) {
  const weight = about.readout === "mean" ? null : network.values("token_head.weight");
  const bias = weight && network.values("token_head.bias");
  return Float32Array.from({ length: K }, (_, k) => {
    let sum = 0;
    const row = about.readout === "per-class" ? k * D : 0;
    for (let d = 0; d < D; d++)
      sum += tokens[k * D + d] * (weight ? weight[row + d] : 1 / D);
    return sum + (bias ? bias[k] : 0);
  });
}

/** The patch classifier's signed map (N, C): a 3 × 3 convolution with a border of 0. */
function patchMap(vit, patches, [h, w]) {
  const { kernel, D, C } = vit;
  const N = h * w;
  const near = neighbours(patches, [h, w], D);
  return kernel.scratch(() => {
    const [x, y] = [kernel.put(near), kernel.floats(N * C)];
    linear(vit, "patch_head", N, 9 * D, C, x, y);
    return kernel.copy(y, N * C);
  });
}

/** How alike patches are (N, N), rows summing to 1; as refine_by_features has it. */
function affinityOf({ kernel, D }, patches, N) {
  const unit = unitRows(patches, D);
  return kernel.scratch(() => {
    const [one, other] = [kernel.put(unit), kernel.put(transpose(unit, N, D))];
    const out = kernel.floats(N * N);
    kernel.gather(N, D, N, one, other, N, out, N);
    return sharpened(kernel.copy(out, N * N), N);
  });
}

/**
 * Look at a picture.
 *
 * @param pixels (h·patch, w·patch, 3) bytes.
 * @param grid [h, w] patches.
 * @param progress called with the number of layers that are done.
 * @returns class logits (K), the classifier's map (C, N), evidence (K, N), its logits
 *   (K), affinity of patches (N, N) or null, head weights (L·H), and for each layer its
 *   qkv (T, 3D), gathered (T, D) and output (T, D).
 */
function look(vit, pixels, grid, progress = () => {}) {
  const { kernel, about, D, K } = vit;
  const T = K + grid[0] * grid[1];
  return kernel.scratch(() => {
    const x = kernel.floats(T * D);
    embed(vit, pixels, grid, x);
    const layers = [];
    for (let index = 0; index < about.layers; index++) {
      layers.push(kernel.scratch(() => block(vit, index, T, x)));
      progress(index + 1);
    }
    if (about.finalNorm) norm(vit, "norm", T, x, x);
    return { grid, layers, ...readOut(vit, kernel.copy(x, T * D), layers, grid) };
  });
}

/** Tokens (T, D) and layers -> maps, logits and head weights. */
function readOut(vit, tokens, layers, grid) {
  const { network, about, D, K, C } = vit;
  const N = grid[0] * grid[1];
  const pooled = about.pool && layers.map((l) => pool(l.gathered, about));
  const patches = tokens.subarray(K * D);
  const map = transpose(patchMap(vit, patches, grid), N, C);
  const evidence = evidenceOf(map, K, N, about.background);
  return {
    classLogits: classLogits(vit, tokens),
    map,
    evidence,
    logits: beliefs(map, evidence, K, N, about.background),
    affinity: about.refine === "features" ? affinityOf(vit, patches, N) : null,
    learned: headWeights(pooled, about, network.values),
  };
}

/** Attention of a head (R, T), tokens `first` to `first + R` asking. */
function rowsOf({ kernel, about, D, K }, { layers, grid }, layer, head, first, R) {
  const T = K + grid[0] * grid[1];
  return kernel.scratch(() => {
    const q = kernel.put(layers[layer].qkv) + 4 * head * about.dim;
    const out = kernel.floats(R * T);
    kernel.attention(first, R, T, about.dim, 3 * D, q, q + 4 * D, out);
    return kernel.copy(out, R * T);
  });
}

/** (N, 3·patch²): each patch's normalised pixels, one colour after the other. */
function cutPatches(pixels, [h, w], { patch, mean, std }) {
  const out = new Float32Array(h * w * 3 * patch * patch);
  let i = 0;
  for (let row = 0; row < h; row++)
    for (let column = 0; column < w; column++)
      for (let c = 0; c < 3; c++)
        for (let y = 0; y < patch; y++) {
          let from = 3 * ((row * patch + y) * w * patch + column * patch) + c;
          for (let x = 0; x < patch; x++, from += 3)
            out[i++] = (pixels[from] / 255 - mean[c]) / std[c];
        }
  return out;
}

/** (N, 9·D): each patch's channels and those around it, 0 beyond the border. */
function neighbours(patches, [h, w], D) {
  const out = new Float32Array(h * w * 9 * D);
  for (let row = 0; row < h; row++)
    for (let column = 0; column < w; column++)
      for (let k = 0; k < 9; k++) {
        const [y, x] = [row + Math.floor(k / 3) - 1, column + (k % 3) - 1];
        if (y < 0 || x < 0 || y >= h || x >= w) continue;
        const from = (y * w + x) * D;
        out.set(patches.subarray(from, from + D), ((row * w + column) * 9 + k) * D);
      }
  return out;
}

/** Rows of length 1. */
function unitRows(rows, D) {
  const out = new Float32Array(rows.length);
  for (let start = 0; start < rows.length; start += D) {
    let square = 0;
    for (let d = 0; d < D; d++) square += rows[start + d] ** 2;
    const size = Math.max(Math.sqrt(square), 1e-12);
    for (let d = 0; d < D; d++) out[start + d] = rows[start + d] / size;
  }
  return out;
}

/** Cosines (N, N), none below 0, to a power; rows sum to 1. In place. */
function sharpened(cosines, N) {
  for (let start = 0; start < cosines.length; start += N) {
    let sum = 0;
    for (let i = start; i < start + N; i++) sum += Math.max(cosines[i], 0) ** POWER;
    for (let i = start; i < start + N; i++)
      cosines[i] = Math.max(cosines[i], 0) ** POWER / sum;
  }
  return cosines;
}

function transpose(values, rows, columns) {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c];
  return out;
}
