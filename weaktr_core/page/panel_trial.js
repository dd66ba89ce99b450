// Heads on trial: silence, replace or weigh heads; maps and masks follow at once.

import {
  button,
  choice,
  drawMap,
  headName,
  make,
  percent,
  range,
  refill,
  strongest,
  toBytes,
} from "../widgets/shared.js";
import { headsGrid } from "./heads_grid.js";
import { agreement } from "./labels.js";
import { drawMask, fit, maskOf } from "./masks.js";
import { classChoice } from "./panel_classes.js";
import { BASES, changed, untouched } from "./setting.js";

const MOST = 3; // largest weight of a head
const NOTES = { mean: "mean", shuffle: "shuf." };
const STRIP = [
  ["cross", "cross-attention map"],
  ["product", "product"],
  ["fine", "fine CAM"],
];
const WHY =
  "A head that is muted takes its whole share of the sum with it, and that may do more " +
  "harm than losing what it knew. Its mean keeps the share and forgets the place; " +
  "shuffled patches keep every value and forget where it was. If the mask suffers from " +
  "silence alone, the head's content was not what mattered.";

/** Changes of the trial, and their undoing. */
function changesOf(view) {
  const past = [];
  const set = (trial) => {
    past.push(view.trial);
    view.set({ trial });
  };
  const change = (what) => set(changed(view.trial, view.head, what));
  const undo = () => past.length && view.set({ trial: past.pop() });
  return { past, set, change, undo };
}

/** Weight and buttons of the chosen head. */
function headActs(view, { set, change }) {
  const who = make("strong");
  const weight = range("Weight", { min: 0, max: MOST * 100, step: 5 }, (v) =>
    change({ weight: v / 100 }),
  );
  const replace = (kind) => () => {
    const now = view.trial.changes[view.head]?.kind;
    change({ kind: now === kind ? "itself" : kind });
  };
  const solo = () =>
    set({ ...view.trial, solo: view.trial.solo === view.head ? -1 : view.head });
  const back = () => set({ ...changed(view.trial, view.head, null), solo: -1 });
  const presses = {
    mute: button("Mute", () => change({ weight: 0 })),
    solo: button("Solo", solo),
    mean: button("Replace by its mean", replace("mean")),
    shuffle: button("Shuffle its patches", replace("shuffle")),
    back: button("As it was", back),
  };
  function draw(setting) {
    who.textContent = headName(view.head, view.about.heads);
    const { weight: w, kind } = setting[view.head];
    weight.show(Math.round(100 * w), w.toFixed(2));
    presses.mute.setAttribute("aria-pressed", w === 0 && view.trial.solo < 0);
    presses.solo.setAttribute("aria-pressed", view.trial.solo === view.head);
    for (const name of ["mean", "shuffle"])
      presses[name].setAttribute("aria-pressed", kind === name);
  }
  const element = make(
    "div",
    { class: "wt-acts", role: "group", "aria-label": "the chosen head" },
    who,
    weight,
    ...Object.values(presses),
  );
  return { element, draw };
}

/** What is written under a head's map. */
function noteOf({ trial }, setting, i) {
  const { weight: w, kind } = setting[i];
  if (trial.solo === i) return "solo";
  if (!w) return trial.changes[i]?.weight === 0 ? "mute" : "0";
  return NOTES[kind] ?? w.toFixed(1);
}

/** How far a mask is from the one of the learned weights. */
function compare(view, photo, mask) {
  // with the same tags and threshold this one never changes
  const key = JSON.stringify([photo.tags, view.threshold]);
  if (photo.judged?.key !== key)
    photo.judged = { key, labels: maskOf(view, photo, view.learned).labels };
  return agreement(mask.labels, photo.judged.labels);
}

/** The same trial on the other photos, one by one, when nothing else is to be done. */
function othersOf(view) {
  const element = make("div", { class: "wt-strip wt-others" });
  const { photos, open: openPhoto } = view.session;
  let waiting = null;
  let asked = false; // for all samples
  function draw() {
    clearTimeout(waiting);
    if (!asked) Promise.all(photos.map((_, i) => openPhoto(i))).then(draw);
    asked = true;
    const open = photos.filter((one) => one.ready && one.ready !== view.now());
    const shown = open.map(({ ready }) => {
      const canvas = make("canvas");
      const text = make("span", {}, ready.name);
      return { ready, canvas, text, box: make("div", {}, canvas, text) };
    });
    element.replaceChildren(...shown.map((one) => one.box));
    const { trial } = view;
    const next = () => {
      const one = shown.shift();
      if (!one || trial !== view.trial) return;
      const mask = maskOf(view, one.ready, trial);
      drawMask(one.canvas, view, one.ready, mask);
      one.text.textContent = `${one.ready.name}: ${percent(compare(view, one.ready, mask))}`;
      waiting = setTimeout(next);
    };
    waiting = setTimeout(next, 120);
  }
  return { element, draw };
}

/** Mask, words and maps of the chosen photo. */
function resultOf(view) {
  const big = make("canvas", { role: "img" });
  const words = make("p", { class: "wt-note" });
  const table = strongest();
  const strip = STRIP.map(([key, name]) => ({ key, name, canvas: make("canvas") }));
  const pictures = strip.map(({ name, canvas }) =>
    make("div", {}, canvas, make("span", {}, name)),
  );
  function draw(setting) {
    const photo = view.now();
    const k = view.classNow();
    const maps = photo.mapsOf(k, setting);
    for (const { key, canvas } of strip) drawMap(canvas, toBytes(maps[key]), photo.grid);
    const mask = maskOf(view, photo, view.trial);
    drawMask(big, view, photo, mask);
    fit(big, photo);
    const same = percent(compare(view, photo, mask));
    words.textContent = `${photo.name}: the mask agrees with that of the learned weights to ${same}.`;
    big.setAttribute("aria-label", words.textContent);
    table.show(maps.fine, photo.grid, `${photo.name}: fine CAM of ${view.names[k]}`);
  }
  const element = make(
    "div",
    { class: "wt-big wt-stay" },
    big,
    words,
    make("div", { class: "wt-strip" }, ...pictures),
  );
  return { element, draw, table };
}

/** Which weights are changed, and the way back. */
function trialBar(view, { past, set, undo }) {
  const undoing = button("Undo", undo);
  const reset = button("Start again", () => set(untouched(view.trial.base)));
  const { base: now } = view.trial;
  const base = choice("Weights", Object.entries(BASES), now, (v) => set(untouched(v)));
  const shown = make("span");
  function draw() {
    refill(shown, classChoice(view));
    undoing.setAttribute("aria-disabled", !past.length);
    base.show(view.trial.base);
  }
  const element = make("div", { class: "wt-bar" }, base, shown, undoing, reset);
  return { element, draw };
}

export function trialPanel(view) {
  const changes = changesOf(view);
  const [bar, acts] = [trialBar(view, changes), headActs(view, changes)];
  const [result, others] = [resultOf(view), othersOf(view)];
  const choose = (head) => view.set({ head });
  const grid = headsGrid(view.about, choose, () => {});
  function draw() {
    const photo = view.now();
    const k = view.classNow();
    const setting = view.setting();
    bar.draw();
    result.draw(setting);
    const rowOf = (i) => view.rowOf(i, { k });
    const note = (i) => noteOf(view, setting, i);
    grid.show([photo, k], rowOf, photo.grid, view.head, note);
    acts.draw(setting);
    others.draw();
  }
  const side = make("div", { class: "wt-side" }, acts.element, grid.element);
  const same =
    "The same setting on the other open photos, and how far each agrees with its learned one:";
  const element = make(
    "div",
    {},
    bar.element,
    make("div", { class: "wt-main" }, result.element, side),
    result.table,
    make("p", { class: "wt-note" }, same),
    others.element,
    make(
      "details",
      { class: "wt-note" },
      make("summary", {}, "Why a mean or a shuffle, and not only silence"),
      make("p", {}, WHY),
    ),
  );
  return { name: "trial", title: "Trial", element, draw };
}
