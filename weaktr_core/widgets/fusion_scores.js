// Settings against each other: every picture at its own best threshold, all at one.

import { fuse, ofClass } from "./fusion_maps.js";
import { beats, bestClass, countPixels, peak, sweep } from "./scores.js";
import { make } from "./shared.js";

export const CUTS = 101; // thresholds of the sweep: 0, 0.01, … 1
const NAMES = {
  equal: "all heads equal",
  learned: "learned (AAF)",
  yours: "yours",
  best: "your best",
};
export const per = (v) => (v === undefined ? "…" : (100 * v).toFixed(1));

/** Labels of a picture and its counts, in the labels of all pictures. */
export function judge(view, p, weights, maps = fuse(p, weights, view.data.cap)) {
  const stage = maps[view.stageNow()];
  const each = p.classes.map((_, c) => ofClass(p, stage, c));
  const { best, score } = bestClass(each, p.grid[1], p.rows, p.columns);
  const named = (labels) => labels.map((label) => (label === 255 ? 255 : p.labels[label]));
  const pixels = { truth: named(p.truth), best: named(best), beaten: beats(score, CUTS) };
  const counts = countPixels(pixels, { labels: view.data.labels, cuts: CUTS });
  const miou = sweep(counts);
  const cut = peak(miou);
  return { best, score, counts, miou, cut, top: miou[cut] };
}

const key = (view, who, index) => [who, index, view.stageNow()].join(" ");

export function keep(view, who, index, { counts, top }) {
  view.judged ??= new Map();
  view.judged.set(key(view, who, index), { counts, top });
}

export function forget(view, who) {
  view.data.photos.forEach((_, index) => view.judged?.delete(key(view, who, index)));
}

/** What a setting reaches on all pictures at one threshold, once all are judged. */
function together(view, who) {
  const all = view.data.photos.map((_, i) => view.judged?.get(key(view, who, i)));
  if (all.includes(undefined)) return undefined;
  const sum = { ...all[0].counts, beaten: all[0].counts.beaten.slice() };
  for (const { counts } of all.slice(1))
    counts.beaten.forEach((n, i) => {
      sum.beaten[i] += n;
    });
  const miou = sweep(sum);
  return { top: miou[peak(miou)], each: all.map((one) => one.top) };
}

/** Judge what is missing, one picture at a time so that the page stays quick. */
export async function settle(view, turn) {
  const { data } = view;
  const settings = ["yours", "equal", "learned"];
  for (const who of settings)
    for (let index = 0; index < data.photos.length; index++) {
      await view.open(index);
      if (turn !== view.turn) return;
      if (view.judged.has(key(view, who, index))) continue;
      const weights = { yours: view.heard(), equal: view.equal() }[who];
      const p = view.photos[index];
      keep(view, who, index, judge(view, p, weights ?? p.learned));
      drawBoard(view);
      await new Promise((next) => setTimeout(next));
    }
  if (turn === view.turn) record(view);
}

/** The best setting so far of each stage: only settings that stand, on all pictures. */
function record(view) {
  const yours = together(view, "yours");
  view.records ??= {};
  const before = view.records[view.stageNow()];
  if (!before || yours.top > before.top)
    view.records[view.stageNow()] = { ...yours, weights: view.heard() };
  drawBoard(view);
}

export function drawBoard(view) {
  const { data, parts } = view;
  const here = view.photoNow();
  const found = Object.fromEntries(
    ["equal", "learned", "yours"].map((who) => [who, together(view, who)]),
  );
  view.best = view.records?.[view.stageNow()];
  const value = (who, i) =>
    who === "best" ? view.best?.each[i] : view.judged?.get(key(view, who, i))?.top;
  const current = (i) => ({ "aria-current": i === here ? "true" : null });
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "mIoU, %"),
    ...data.photos.map((p, i) =>
      make("th", { scope: "col", title: p.name, ...current(i) }, String(i + 1)),
    ),
    make("th", { scope: "col" }, "all"),
  );
  const lines = Object.entries(NAMES).map(([who, name]) =>
    make(
      "tr",
      { "data-who": who },
      make("th", { scope: "row" }, name),
      ...data.photos.map((_, i) => make("td", current(i), per(value(who, i)))),
      make("td", {}, per((who === "best" ? view.best : found[who])?.top)),
    ),
  );
  const caption =
    `Beat the AAF: ${view.stageNames[view.stageNow()]} of each picture at its best ` +
    "threshold, of all at one; a peek at the masks";
  parts.board.replaceChildren(
    make("caption", {}, caption),
    make("thead", {}, head),
    make("tbody", {}, ...lines),
  );
  drawTally(view, found.learned);
}

function drawTally(view, learned) {
  if (!learned || !view.best) return;
  const gap = 100 * (view.best.top - learned.top);
  const verdict =
    gap > 0.05
      ? `you beat the AAF by ${gap.toFixed(1)}.`
      : gap < -0.05
        ? `${(-gap).toFixed(1)} to go.`
        : "level.";
  const both = `learned ${per(learned.top)}, your best ${per(view.best.top)}`;
  view.parts.tally.textContent = `All pictures: ${both}: ${verdict}`;
}
