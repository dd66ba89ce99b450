// What the mixer shows: heads, maps, labels, and how good they are.

import { fuse, headMap, ofClass } from "./fusion_maps.js";
import { CUTS, drawBoard, forget, judge, keep, per, settle } from "./fusion_scores.js";
import {
  choice,
  drawMap,
  drawOverlay,
  drawPixels,
  headName,
  heatStyle,
  make,
  toBytes,
} from "./shared.js";

/** Draw all; `quiet` while a drag is on its way: nothing is said and nothing recorded. */
export function draw(view, quiet = false) {
  const index = view.photoNow();
  const p = view.photos[index];
  view.turn = (view.turn ?? 0) + 1;
  const { turn } = view;
  if (!p) {
    view.open(index).then(() => turn === view.turn && draw(view));
    return;
  }
  const weights = view.heard();
  const maps = fuse(p, weights, view.data.cap);
  const found = judge(view, p, weights, maps);
  forget(view, "yours");
  keep(view, "yours", index, found);
  const best = found.cut / (CUTS - 1);
  if (view.model.get("follow") && view.cutNow() !== best) view.write({ threshold: best });
  drawFields(view, p);
  drawHeads(view, p);
  drawMaps(view, p, maps);
  drawLabelMaps(view, p, found);
  drawBoard(view);
  drawNow(view, found);
  clearTimeout(view.timer);
  if (quiet) return;
  say(view, p, found);
  view.timer = setTimeout(() => settle(view, turn), 120);
}

function drawFields(view, p) {
  const { parts } = view;
  parts.photo.show(view.photoNow());
  if (view.classesOf !== p) {
    view.classesOf = p;
    const names = p.classes.map((name, i) => [i, name]);
    view.classes = choice("Class", names, "", (v) => view.set({ shown: Number(v) }));
    parts.shown.replaceChildren(p.classes.length < 2 ? "" : view.classes);
  }
  view.classes.show(view.at("shown", p.classes.length));
  parts.cut.show(view.cutNow(), view.cutNow().toFixed(2));
  parts.follow.show(view.model.get("follow"));
}

/** The map of each head is drawn when picture or class change, its weight always. */
function drawHeads(view, p) {
  const shown = view.at("shown", p.classes.length);
  const weights = view.weightsNow();
  const alone = view.soloNow();
  const wanted = `${view.photoNow()} ${shown}`;
  view.cells.forEach(({ canvas, number, button }, i) => {
    if (view.headsOf !== wanted)
      drawMap(canvas, toBytes(headMap(p, i, shown).map(Math.sqrt)), p.grid);
    canvas.style.opacity = 0.15 + 0.85 * Math.min(1, weights[i]);
    number.setAttribute("style", heatStyle(weights[i] / view.data.top));
    button.classList.toggle("wt-off", alone >= 0 && alone !== i);
    button.setAttribute("tabindex", i === view.current ? "0" : "-1");
    const state = alone === i ? ", alone" : view.muted.has(i) ? ", muted" : "";
    // what is written in a button must be part of its name
    number.textContent = weights[i].toFixed(1);
    const exact = `${headName(i, view.heads)}: weight ${weights[i].toFixed(2)}${state}`;
    button.setAttribute("aria-label", `${number.textContent}, ${exact}`);
  });
  view.headsOf = wanted;
  const { own } = view.parts;
  const weight = weights[view.current];
  own.show(weight, weight.toFixed(1), `Weight of ${headName(view.current, view.heads)}`);
}

function drawMaps(view, p, maps) {
  const { parts, data, stageNames } = view;
  const shown = view.at("shown", p.classes.length);
  const stage = view.stageNow();
  const title = `${stageNames[stage]} of ${p.classes[shown]} on ${p.name}`;
  const large = ofClass(p, maps[stage], shown);
  drawOverlay(parts.big, p.image, toBytes(large), p.grid);
  parts.big.setAttribute("aria-label", title);
  parts.words.show(large, p.grid, title);
  drawMap(parts.coarse, toBytes(ofClass(p, p.coarseMap, shown)), p.grid);
  data.stages.forEach((other, i) => {
    const map = toBytes(ofClass(p, maps[other], shown));
    drawMap(parts.stages.canvases[i], map, p.grid);
  });
  parts.stages.show(data.stages.indexOf(stage));
}

function drawLabelMaps(view, p, { best, score }) {
  const { labels, truth } = view.parts;
  const cut = view.cutNow();
  const paint = (label) =>
    label === 255 ? [255, 255, 255] : label ? p.colours[label - 1] : [0, 0, 0];
  drawPixels(labels, p.mask.shape, (i) => paint(score[i] > cut ? best[i] : 0));
  drawPixels(truth, p.mask.shape, (i) => paint(p.truth[i]));
  labels.setAttribute("aria-label", `labels at threshold ${cut.toFixed(2)}`);
  truth.setAttribute("aria-label", "true mask");
}

const atCut = (view, miou) => miou[Math.round(view.cutNow() * (CUTS - 1))];

/** The score where the eyes are while a head is moved. */
function drawNow(view, { miou, top }) {
  const at = `${per(atCut(view, miou))} % mIoU`;
  const note = view.model.get("follow") ? "" : `, ${per(top)} % at the best threshold`;
  view.parts.now.replaceChildren(at, make("small", {}, ` this picture${note}`));
}

function say(view, p, { miou, top }) {
  const shown = view.at("shown", p.classes.length);
  const alone = view.soloNow();
  const who = alone >= 0 ? `, ${headName(alone, view.heads)} alone` : "";
  const rest = view.model.get("follow")
    ? ", the best for this picture"
    : `, ${per(top)} % at the best`;
  view.parts.say.textContent =
    `${p.name}, ${view.stageNames[view.stageNow()]} of ${p.classes[shown]}${who}: ` +
    `${per(atCut(view, miou))} % mIoU at threshold ${view.cutNow().toFixed(2)}${rest}.`;
}
