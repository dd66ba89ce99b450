// Class maps, stage by stage, and the mask that becomes of them.

import {
  button,
  choice,
  drawMap,
  drawOverlay,
  make,
  percent,
  range,
  toBytes,
} from "../widgets/shared.js";
import { drawMask, fit, maskOf } from "./masks.js";

export const STAGES = [
  ["coarse", "coarse CAM"],
  ["cross", "cross-attention"],
  ["product", "their product: CAM"],
  ["fine", "fine CAM"],
];

export function classesPanel(view) {
  let stage = "mask";
  const big = make("canvas", { role: "img" });
  const words = make("p", { class: "wt-note" });
  const tags = make("div", { class: "wt-tags", role: "group", "aria-label": "tags" });
  const shown = make("span");
  const canvases = Object.fromEntries(
    [...STAGES.map(([key]) => key), "mask"].map((key) => [key, make("canvas")]),
  );
  const presses = [...STAGES, ["mask", "mask of all tags"]].map(([key, name], i) =>
    make(
      "button",
      {
        type: "button",
        "data-stage": key,
        onclick: () => {
          stage = key;
          draw();
        },
      },
      canvases[key],
      make("span", {}, `${i + 1}. ${name}`),
    ),
  );
  const cut = range("Background score", { min: 0, max: 100, step: 1 }, (v) =>
    view.set({ threshold: v / 100 }),
  );

  function toggle(k) {
    const photo = view.now();
    const on = photo.tags.includes(k);
    if (on && photo.tags.length === 1)
      return view.say("One tag must stay: without any, all is background.");
    photo.tags = on ? photo.tags.filter((t) => t !== k) : [...photo.tags, k];
    view.set({ shown: on ? null : k });
  }

  function drawTags(photo) {
    const likely = [...photo.classes].sort(
      (a, b) => photo.probabilities[b] - photo.probabilities[a],
    );
    tags.replaceChildren(
      ...likely.slice(0, 6).map((k) => tagButton(photo, k)),
      ...photo.tags.filter((k) => likely.indexOf(k) >= 6).map((k) => tagButton(photo, k)),
    );
    const rest = likely.slice(6).filter((k) => !photo.tags.includes(k));
    if (rest.length) {
      const options = [["", "another class …"], ...rest.map((k) => [k, view.names[k]])];
      tags.append(choice("Add", options, "", (v) => v !== "" && toggle(Number(v))));
    }
  }

  function tagButton(photo, k) {
    const press = button("", () => toggle(k));
    press.append(
      swatch(view.data.key.colours[k + 1]),
      `${view.names[k]} ${percent(photo.probabilities[k])}`,
    );
    press.setAttribute("aria-pressed", photo.tags.includes(k));
    return press;
  }

  function draw() {
    const photo = view.now();
    const k = view.classNow();
    drawTags(photo);
    shown.replaceChildren(
      choice(
        "Maps of",
        photo.tags.map((t) => [t, view.names[t]]),
        k,
        (v) => view.set({ shown: Number(v) }),
      ),
    );
    const maps = photo.mapsOf(k, view.setting(photo, view.learned));
    for (const [key] of STAGES) drawMap(canvases[key], toBytes(maps[key]), photo.grid);
    const mask = maskOf(view, photo, view.learned);
    drawMask(canvases.mask, view, photo, mask);
    if (stage === "mask") drawMask(big, view, photo, mask);
    else drawOverlay(big, photo.shown, toBytes(maps[stage]), photo.grid);
    fit(big, photo);
    for (const press of presses)
      press.setAttribute("aria-pressed", press.dataset.stage === stage);
    cut.show(Math.round(100 * view.threshold), view.threshold.toFixed(2));
    words.textContent = sentence(photo, k, mask);
    big.setAttribute("aria-label", words.textContent);
  }

  function sentence(photo, k, mask) {
    const name = STAGES.find(([key]) => key === stage)?.[1];
    if (name) return `${photo.name}: ${name} of ${view.names[k]}.`;
    const each = photo.tags.map((t) => {
      const pixels = mask.labels.reduce((n, v) => n + (v === t + 1), 0);
      return `${view.names[t]} ${percent(pixels / mask.labels.length)}`;
    });
    return `${photo.name}: ${each.join(", ")} of the pixels.`;
  }

  const element = make(
    "div",
    {},
    make(
      "p",
      { class: "wt-note" },
      "Tags: what the network is told, or believes, to be in the photo. ",
      "The percentage is its own belief; press to add or take away.",
    ),
    tags,
    make("div", { class: "wt-bar" }, shown, cut),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, big, words),
      make("div", { class: "wt-strip wt-stages" }, ...presses),
    ),
  );
  return { name: "classes", title: "Masks", element, draw };
}

/** A little square of a colour. */
export function swatch(colour) {
  const square = make("span", { class: "wt-swatch", "aria-hidden": "true" });
  square.style.background = `rgb(${colour.join(",")})`;
  return square;
}
