// node page_parity.js JOB.json: look at pictures as the page does, write what it saw.
// The job: {wasm, network, pictures: [{pixels, grid, out}]}; out gets float32 after a
// line of JSON with names and lengths.

import { readFileSync, writeFileSync } from "node:fs";
import { stages, summing } from "../weaktr_core/page/mixing.js";
import { openVit } from "../weaktr_core/page/vit.js";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const vit = await openVit(readFileSync(job.wasm), readFileSync(job.network));
const { heads, layers, cap } = vit.about;
const K = vit.about.classes.length;

for (const { pixels, grid, out } of job.pictures) {
  const seen = vit.look(readFileSync(pixels), grid);
  const N = grid[0] * grid[1];
  const T = K + N;
  const all = new Float32Array(layers * heads * T * T);
  for (let l = 0; l < layers; l++)
    for (let h = 0; h < heads; h++)
      all.set(vit.rows(seen, l, h, 0, T), (l * heads + h) * T * T);
  const found = { attention: all, class_logits: seen.classLogits, map: seen.map };
  found.head_weights = seen.learned;
  seen.layers.forEach(({ qkv, gathered, output }, l) => {
    found[`query${l}`] = columns(qkv, 3, 0);
    found[`key${l}`] = columns(qkv, 3, 1);
    found[`gathered${l}`] = gathered;
    found[`output${l}`] = output;
  });
  addMaps(found, seen, N, K);
  const lengths = Object.fromEntries(Object.entries(found).map(([n, v]) => [n, v.length]));
  const head = Buffer.from(`${JSON.stringify({ lengths })}\n`);
  const parts = Object.values(found).map((v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength));
  writeFileSync(out, Buffer.concat([head, ...parts]));
}

/** The i-th of n blocks of columns. */
function columns(values, n, i) {
  const wide = heads * vit.about.dim;
  const out = new Float32Array(values.length / n);
  for (let t = 0; t < out.length / wide; t++)
    out.set(values.subarray((t * n + i) * wide, (t * n + i + 1) * wide), t * wide);
  return out;
}

/** Of all heads the rows of `count` tokens, patches only. */
function patchRows(all, first, count, N) {
  const T = K + N;
  const kept = new Float32Array(layers * heads * count * N);
  for (let i = 0; i < layers * heads * count; i++) {
    const row = (Math.floor(i / count) * T + first + (i % count)) * T + K;
    kept.set(all.subarray(row, row + N), i * N);
  }
  return kept;
}

function addMaps(found, seen, N, K) {
  const setting = Array.from(seen.learned, (weight) => ({ weight, kind: "itself" }));
  const rows = (first, count) => patchRows(found.attention, first, count, N);
  const fused = seen.affinity ?? summing(rows(K, N), layers * heads, N)(setting);
  const names = { coarse: "coarse_cam", cross: "cross_attention", product: "cam", fine: "fine_cam" };
  for (const name of Object.values(names)) found[name] = new Float32Array(K * N);
  for (let k = 0; k < K; k++) {
    const cross = summing(rows(k, 1), layers * heads, N)(setting);
    const evidence = seen.evidence.subarray(k * N, (k + 1) * N);
    const made = stages(cross, evidence, fused, cap);
    for (const [ours, name] of Object.entries(names)) found[name].set(made[ours], k * N);
  }
  found.coarse_logits = seen.logits;
  const mean = (k) => found.fine_cam.subarray(k * N, (k + 1) * N).reduce((a, b) => a + b) / N;
  found.fine_logits = Float32Array.from({ length: K }, (_, k) => mean(k));
}
