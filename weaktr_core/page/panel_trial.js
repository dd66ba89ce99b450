// Heads on trial: silence, replace or weigh heads; maps and masks follow at once.

import {
  button,
  choice,
  drawMap,
  headName,
  make,
  percent,
  range,
  toBytes,
} from "../widgets/shared.js";
import { headsGrid } from "./heads_grid.js";
import { agreement } from "./labels.js";
import { drawMask, fit, maskOf } from "./masks.js";
import { BASES, changed, untouched } from "./setting.js";

const MOST = 3; // largest weight of a head
const NOTES = { mean: "mean", shuffle: "shuf." };
const STRIP = [
  ["cross", "cross-attention"],
  ["product", "CAM"],
  ["fine", "fine CAM"],
];

export function trialPanel(view) {
  const past = [];
  const set = (trial) => {
    past.push(view.trial);
    view.set({ trial });
  };
  const change = (what) => set(changed(view.trial, view.head, what));
  const grid = headsGrid(
    view.about,
    (head) => view.set({ head }),
    () => {},
  );
  const big = make("canvas", { role: "img" });
  const words = make("p", { class: "wt-note" });
  const strip = STRIP.map(([key, name]) => ({ key, name, canvas: make("canvas") }));
  const others = make("div", { class: "wt-strip wt-others" });
  const who = make("strong");
  const weight = range("Weight", { min: 0, max: MOST * 100, step: 5 }, (v) =>
    change({ weight: v / 100 }),
  );
  const acts = {
    mute: button("Mute", () => change({ weight: 0 })),
    solo: button("Solo", () =>
      set({ ...view.trial, solo: view.trial.solo === view.head ? -1 : view.head }),
    ),
    mean: button("Replace by its mean", () => toggleKind("mean")),
    shuffle: button("Shuffle its patches", () => toggleKind("shuffle")),
    back: button("As it was", () =>
      set({ ...changed(view.trial, view.head, null), solo: -1 }),
    ),
  };
  const toggleKind = (kind) =>
    change({ kind: view.trial.changes[view.head]?.kind === kind ? "itself" : kind });
  const undo = button("Undo", () => past.length && view.set({ trial: past.pop() }));
  const reset = button("Start again", () => set(untouched(view.trial.base)));
  const base = choice("Weights", Object.entries(BASES), view.trial.base, (v) =>
    set(untouched(v)),
  );
  const shownClass = make("span");

  function noteOf(i, setting) {
    const { weight: w, kind } = setting[i];
    if (view.trial.solo === i) return "solo";
    if (!w) return view.trial.changes[i]?.weight === 0 ? "mute" : "0";
    if (NOTES[kind]) return NOTES[kind];
    return w.toFixed(1);
  }

  function drawActs(setting) {
    who.textContent = headName(view.head, view.about.heads);
    const { weight: w, kind } = setting[view.head];
    weight.show(Math.round(100 * w), w.toFixed(2));
    acts.mute.setAttribute("aria-pressed", w === 0 && view.trial.solo < 0);
    acts.solo.setAttribute("aria-pressed", view.trial.solo === view.head);
    for (const name of ["mean", "shuffle"])
      acts[name].setAttribute("aria-pressed", kind === name);
    undo.setAttribute("aria-disabled", !past.length);
    base.show(view.trial.base);
  }

  /** How far the mask is from the one of the learned weights. */
  const compare = (photo, mask) => {
    // with the same tags and threshold this one never changes
    const key = JSON.stringify([photo.tags, view.threshold]);
    if (photo.judged?.key !== key)
      photo.judged = { key, labels: maskOf(view, photo, view.learned).labels };
    return agreement(mask.labels, photo.judged.labels);
  };

  let waiting = null;
  /** The other photos one by one, in moments when nothing else is to be done. */
  function judgeOthers() {
    clearTimeout(waiting);
    const open = view.session.photos.filter((one) => one.ready && one.ready !== view.now());
    const shown = open.map(({ ready }) => {
      const canvas = make("canvas");
      const text = make("span", {}, ready.name);
      return { ready, canvas, text, box: make("div", {}, canvas, text) };
    });
    others.replaceChildren(...shown.map((one) => one.box));
    const trial = view.trial;
    const next = () => {
      const one = shown.shift();
      if (!one || trial !== view.trial) return;
      const mask = maskOf(view, one.ready, trial);
      drawMask(one.canvas, view, one.ready, mask);
      one.text.textContent = `${one.ready.name}: ${percent(compare(one.ready, mask))}`;
      waiting = setTimeout(next);
    };
    waiting = setTimeout(next, 120);
  }

  function draw() {
    const photo = view.now();
    const k = view.classNow();
    const setting = view.setting();
    shownClass.replaceChildren(
      choice(
        "Maps of",
        photo.tags.map((t) => [t, view.names[t]]),
        k,
        (v) => view.set({ shown: Number(v) }),
      ),
    );
    const maps = photo.mapsOf(k, setting);
    for (const { key, canvas } of strip) drawMap(canvas, toBytes(maps[key]), photo.grid);
    const mask = maskOf(view, photo, view.trial);
    drawMask(big, view, photo, mask);
    fit(big, photo);
    const rowOf = (i) => view.rowOf(i, { k });
    grid.show([photo, k], rowOf, photo.grid, view.head, (i) => noteOf(i, setting));
    drawActs(setting);
    const same = percent(compare(photo, mask));
    words.textContent = `${photo.name}: the mask agrees with that of the learned weights to ${same}.`;
    big.setAttribute("aria-label", words.textContent);
    judgeOthers();
  }

  const element = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, base, shownClass, undo, reset),
    make(
      "div",
      { class: "wt-main" },
      make(
        "div",
        { class: "wt-big wt-stay" },
        big,
        words,
        make(
          "div",
          { class: "wt-strip" },
          ...strip.map(({ name, canvas }) =>
            make("div", {}, canvas, make("span", {}, name)),
          ),
        ),
      ),
      make(
        "div",
        { class: "wt-side" },
        make(
          "div",
          { class: "wt-acts", role: "group", "aria-label": "the chosen head" },
          who,
          weight,
          ...Object.values(acts),
        ),
        grid.element,
      ),
    ),
    make(
      "p",
      { class: "wt-note" },
      "The same setting on the other open photos, and how far each agrees with its learned one:",
    ),
    others,
    make(
      "details",
      { class: "wt-note" },
      make("summary", {}, "Why a mean or a shuffle, and not only silence"),
      make(
        "p",
        {},
        "A head that is muted takes its whole share of the sum with it, and that may do more " +
          "harm than losing what it knew. Its mean keeps the share and forgets the place; " +
          "shuffled patches keep every value and forget where it was. If the mask suffers from " +
          "silence alone, the head's content was not what mattered.",
      ),
    ),
  );
  return { name: "trial", title: "Trial", element, draw };
}
