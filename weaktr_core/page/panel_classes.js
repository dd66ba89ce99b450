// Class maps, stage by stage, and the mask that becomes of them.

import {
  button,
  choice,
  drawMap,
  drawOverlay,
  make,
  percent,
  range,
  refill,
  strongest,
  toBytes,
} from "../widgets/shared.js";
import { drawMask, fit, maskOf } from "./masks.js";

const STAGES = [
  ["coarse", "coarse CAM"],
  ["cross", "cross-attention map"],
  ["product", "product"],
  ["fine", "fine CAM"],
];
const MASK = ["mask", "mask of all tags"];
const OFFERED = 6; // tags that are one press away

/** A little square of a colour. */
export function swatch(colour) {
  const square = make("span", { class: "wt-swatch", "aria-hidden": "true" });
  square.style.background = `rgb(${colour.join(",")})`;
  return square;
}

/** A choice among the tags of a photo: whose maps are shown. */
export function classChoice(view) {
  const photo = view.now();
  const options = photo.tags.map((t) => [t, view.names[t]]);
  const choose = (v) => view.set({ shown: Number(v) });
  return choice("Maps of", options, view.classNow(), choose);
}

/** Give a photo a tag, or take it away. */
function toggle(view, k) {
  const photo = view.now();
  const on = photo.tags.includes(k);
  if (on && photo.tags.length === 1)
    return view.say("One tag must stay: without any, all is background.");
  photo.tags = on ? photo.tags.filter((t) => t !== k) : [...photo.tags, k];
  view.set({ shown: on ? null : k });
}

function tagButton(view, k) {
  const photo = view.now();
  const press = button("", () => toggle(view, k));
  press.append(
    swatch(view.data.key.colours[k + 1]),
    `${view.names[k]} ${percent(photo.probabilities[k])}`,
  );
  press.setAttribute("aria-pressed", photo.tags.includes(k));
  return press;
}

/** All that can be pressed: the likeliest classes, the tags, and a list of the rest. */
function tagButtons(view) {
  const photo = view.now();
  const likely = [...photo.classes].sort(
    (a, b) => photo.probabilities[b] - photo.probabilities[a],
  );
  const offered = likely.slice(0, OFFERED);
  const others = photo.tags.filter((k) => !offered.includes(k));
  const parts = [...offered, ...others].map((k) => tagButton(view, k));
  const rest = likely.slice(OFFERED).filter((k) => !photo.tags.includes(k));
  if (!rest.length) return parts;
  const options = [["", "another class …"], ...rest.map((k) => [k, view.names[k]])];
  const add = (v) => v !== "" && toggle(view, Number(v));
  return [...parts, choice("Add", options, "", add)];
}

/** What the large picture shows, in words. */
function sentence(view, stage, mask) {
  const photo = view.now();
  const name = STAGES.find(([key]) => key === stage)?.[1];
  if (name) return `${photo.name}: ${name} of ${view.names[view.classNow()]}.`;
  const each = photo.tags.map((t) => {
    const pixels = mask.labels.reduce((n, v) => n + (v === t + 1), 0);
    return `${view.names[t]} ${percent(pixels / mask.labels.length)}`;
  });
  return `${photo.name}: ${each.join(", ")} of the pixels.`;
}

/** The stages as small pictures; pressing one shows it large. */
function stageButtons(view) {
  return [...STAGES, MASK].map(([key, name], i) => {
    const canvas = make("canvas");
    const attributes = { type: "button", "data-stage": key };
    const text = make("span", {}, `${i + 1}. ${name}`);
    const onclick = () => view.set({ stage: key });
    const press = make("button", { ...attributes, onclick }, canvas, text);
    return { key, canvas, press };
  });
}

function partsOf(view) {
  const cut = range("Background score", { min: 0, max: 100, step: 1 }, (v) =>
    view.set({ threshold: v / 100 }),
  );
  return {
    big: make("canvas", { role: "img" }),
    words: make("p", { class: "wt-note" }),
    tags: make("div", { class: "wt-tags", role: "group", "aria-label": "tags" }),
    shown: make("span"),
    stages: stageButtons(view),
    table: strongest(),
    cut,
  };
}

function draw(view, { big, words, tags, shown, stages, table, cut }) {
  const photo = view.now();
  const { stage, threshold } = view;
  refill(tags, ...tagButtons(view));
  refill(shown, classChoice(view));
  const maps = photo.mapsOf(view.classNow(), view.setting(photo, view.learned));
  const mask = maskOf(view, photo, view.learned);
  for (const { key, canvas, press } of stages) {
    if (key === "mask") drawMask(canvas, view, photo, mask);
    else drawMap(canvas, toBytes(maps[key]), photo.grid);
    press.setAttribute("aria-pressed", key === stage);
  }
  if (stage === "mask") drawMask(big, view, photo, mask);
  else drawOverlay(big, photo.shown, toBytes(maps[stage]), photo.grid);
  fit(big, photo);
  cut.show(Math.round(100 * threshold), threshold.toFixed(2));
  words.textContent = sentence(view, stage, mask);
  big.setAttribute("aria-label", words.textContent);
  const listed = stage === "mask" ? "fine" : stage;
  table.show(maps[listed], photo.grid, sentence(view, listed, mask));
}

export function classesPanel(view) {
  const parts = partsOf(view);
  const { big, words, tags, shown, stages, table, cut } = parts;
  const told = make(
    "p",
    { class: "wt-note" },
    "Tags: what the network is told, or believes, to be in the photo. ",
    "The percentage is its own belief; press to add or take away.",
  );
  const strip = make(
    "div",
    { class: "wt-strip wt-stages" },
    ...stages.map(({ press }) => press),
  );
  const large = make("div", { class: "wt-big wt-stay" }, big, words);
  const element = make(
    "div",
    {},
    told,
    tags,
    make("div", { class: "wt-bar" }, shown, cut),
    make("div", { class: "wt-main" }, large, strip),
    table,
  );
  return { name: "classes", title: "Masks", element, draw: () => draw(view, parts) };
}
