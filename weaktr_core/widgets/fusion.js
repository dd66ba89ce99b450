// Fusion mixer: a weight per head, painted by hand; maps, mask and mIoU follow.

import { draw } from "./fusion_drawing.js";
import { cellOf, faders, limit, load, mute, paint, solo } from "./fusion_heads.js";
import { openPhoto } from "./fusion_maps.js";
import {
  button,
  choice,
  connect,
  followPage,
  make,
  range,
  STYLE,
  strip,
  strongest,
  tick,
} from "./shared.js";

const TRAITS = ["weights", "photo", "shown", "stage", "threshold", "follow", "solo"];
const STAGE_NAMES = {
  cross_attention: "cross-attention map",
  cam: "product",
  fine_cam: "fine CAM",
};

async function render({ model, el }) {
  const data = model.get("data");
  const [layers, heads] = data.shape;
  const view = {
    model,
    data,
    layers,
    heads,
    total: layers * heads,
    stageNames: STAGE_NAMES,
  };
  Object.assign(view, { brush: 0, current: layers * heads - heads, muted: new Map() });
  Object.assign(
    view,
    connect(model, TRAITS, (quiet) => draw(view, quiet)),
  );
  reading(view);
  opening(view);
  await view.open(view.photoNow());
  view.cells = Array.from({ length: view.total }, (_, i) => cellOf(view, i));
  view.parts = { ...pictures(view), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("fusion", root, view);
  return () => {
    leave();
    view.stop();
  };
}

/** What the traits say now, within what there is. */
function reading(view) {
  const { model, data, total, at } = view;
  view.equal = () => new Array(total).fill(1);
  view.photoNow = () => at("photo", data.photos.length);
  view.soloNow = () => at("solo", total, -1);
  view.cutNow = () => Math.min(1, Math.max(0, model.get("threshold")));
  view.stageNow = () =>
    data.stages.find((stage) => stage === model.get("stage")) || data.stages.at(-1);
  view.weightsNow = () => view.equal().map((one, i) => model.get("weights")[i] ?? one);
  view.heard = () =>
    view.soloNow() < 0
      ? view.weightsNow()
      : view.equal().map((_, i) => (i === view.soloNow() ? 1 : 0));
}

/** Photos are unpacked when they are first wanted. */
function opening(view) {
  const waiting = [];
  view.photos = [];
  view.open = async (index) => {
    waiting[index] = waiting[index] || openPhoto(view.data.photos[index]);
    view.photos[index] = await waiting[index];
  };
}

// ---- what the page consists of

function pictures(view) {
  const { data } = view;
  const still = (name) => make("canvas", { class: `wt-${name}`, role: "img" });
  const stages = strip(
    data.stages.map((stage) => STAGE_NAMES[stage]),
    (i) => view.set({ stage: data.stages[i] }),
    (i) => `wt-stage-${data.stages[i]}`,
  );
  const coarse = still("coarse");
  coarse.setAttribute("aria-label", "coarse CAM");
  stages.element.prepend(make("div", {}, coarse, make("span", {}, "coarse CAM, given")));
  return {
    big: make("canvas", { role: "img" }),
    labels: still("labels"),
    truth: still("truth"),
    coarse,
    stages,
    words: strongest(),
    now: make("p", { class: "wt-now" }),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    tally: make("p", { class: "wt-tally" }),
    board: make("table", { class: "wt-board" }),
  };
}

function fields(view) {
  const { data } = view;
  const photo = choice(
    "Picture",
    data.photos.map((p, i) => [i, p.name]),
    0,
    (v) => view.set({ photo: Number(v), shown: 0 }),
  );
  const brush = range("Brush", { min: 0, max: data.top, step: 0.1 }, (v) => {
    view.brush = v;
    brush.show(v, v.toFixed(1));
  });
  brush.show(0, "0.0");
  return {
    photo,
    brush,
    shown: make("span"),
    own: range("", { min: 0, max: data.top, step: 0.1 }, (v) =>
      paint(view, [[view.current, v]]),
    ),
    cut: range("Threshold", { min: 0, max: 1, step: 0.01 }, (v) =>
      view.set({ threshold: v, follow: false }),
    ),
    follow: tick("keep it at the best", (on) => view.set({ follow: on })),
    presets: presets(view),
    mute: button("mute", () => mute(view, view.current)),
    solo: button("solo", () => solo(view, view.current)),
  };
}

function presets(view) {
  const { heads, total, data } = view;
  const last = view.equal().map((_, i) => (i >= total - heads ? 1 : 0));
  const random = () => view.equal().map(() => limit(view, Math.random() * data.top));
  return [
    button("all equal", () => load(view, view.equal())),
    button("last layer", () => load(view, last)),
    button("learned (AAF)", () => load(view, data.photos[view.photoNow()].learned)),
    button("random", () => load(view, random())),
    button("my best", () => view.best && load(view, view.best.weights)),
    view.undoField,
  ];
}

function layout(view) {
  const { parts } = view;
  const bar = (attributes, ...children) =>
    make("div", { class: "wt-bar", ...attributes }, ...children);
  const still = (canvas, name) => make("div", {}, canvas, make("span", {}, name));
  const start = { role: "group", "aria-label": "weights to start from" };
  return make(
    "div",
    { class: "wt wt-fusion" },
    make("style", {}, STYLE + FUSION_STYLE),
    bar({}, parts.photo, parts.shown),
    bar(start, ...parts.presets),
    make("p", { class: "wt-note wt-how" }, HOW),
    make(
      "div",
      { class: "wt-main" },
      make(
        "div",
        { class: "wt-seen" },
        make("div", { class: "wt-big" }, parts.big),
        make(
          "div",
          { class: "wt-cut" },
          still(parts.labels, "cut at the threshold"),
          still(parts.truth, "true mask"),
        ),
        parts.now,
      ),
      make(
        "div",
        { class: "wt-desk" },
        bar({}, parts.brush, parts.own, parts.mute, parts.solo),
        faders(view),
        bar({}, parts.cut, parts.follow),
      ),
    ),
    parts.stages.element,
    parts.say,
    parts.tally,
    parts.board,
    make("p", { class: "wt-note" }, NOTE),
    parts.words,
  );
}

const HOW =
  "Press a head, or drag over several, to set them to the brush; press a layer's number " +
  "to set all of it. Keys: arrows move, + and - change, m mutes, s listens to one alone.";
const NOTE =
  "Each head shows where the class token looks through it (square root, its own scale), " +
  "paler the less it counts. Press a small map to see it large and to score it. A setting " +
  "is judged on all pictures at one threshold; the learned weights differ from picture to " +
  "picture.";

const FUSION_STYLE = `
.wt.wt-fusion .wt-how { margin: 0 0 10px; }
.wt-fusion .wt-main { display: grid; gap: 12px 16px; align-items: start;
  grid-template-columns: minmax(0, 0.9fr) minmax(0, 1fr); }
.wt-fusion .wt-seen { grid-column: 2; position: sticky; top: var(--wt-top, 0px);
  background: var(--wt-ground); z-index: 2; min-width: 0; }
.wt-fusion .wt-desk { grid-column: 1; grid-row: 1; min-width: 0; }
.wt-fusion .wt-big canvas { cursor: default; touch-action: auto; }
.wt-fusion .wt-big canvas.wt-over { max-height: 440px; }
.wt-fusion .wt-cut { display: grid; grid-template-columns: 1fr 1fr; gap: 8px;
  margin-top: 8px;  font-size: 12px; }
.wt-fusion .wt-cut canvas { width: 100%; max-height: 190px; object-fit: contain;
  object-position: left; image-rendering: pixelated; display: block; border-radius: 3px; }
.wt-fusion .wt-now { margin: 6px 0 0; font-weight: 600; font-size: 16px;
  font-variant-numeric: tabular-nums; }
.wt-fusion .wt-now small { font-weight: 400; font-size: 13px; }
.wt-faders { display: grid; gap: 3px; margin-bottom: 10px; touch-action: pan-y;
  user-select: none; -webkit-user-select: none; max-width: 460px; }
.wt .wt-faders button { min-height: 44px; min-width: 0; padding: 0; border-radius: 4px;
  border: 1px solid var(--wt-edge); font-size: 11px; line-height: 14px; cursor: crosshair;
  overflow: hidden; display: flex; flex-direction: column; background: #000; }
.wt .wt-faders .wt-layer { width: 28px; min-width: 24px; cursor: pointer; font-size: 12px;
  align-items: center; justify-content: center; background: var(--wt-key); }
.wt-faders canvas { width: 100%; flex: 1 1 auto; min-height: 0; image-rendering: pixelated;
  display: block; aspect-ratio: 1; max-height: 60px; object-fit: contain; }
.wt-faders span { width: 100%; }
.wt .wt-faders .wt-off { opacity: 0.35; }
.wt .wt-faders button:focus-visible { outline-offset: 0; z-index: 1; position: relative; }
.wt-fusion .wt-desk .wt-bar { margin-bottom: 6px; gap: 6px 12px; }
.wt-fusion .wt-desk input[type=range] { width: 110px; }
.wt-fusion .wt-desk .wt-range { flex-wrap: nowrap; }
.wt.wt-fusion .wt-strip { grid-template-columns: repeat(auto-fit, minmax(110px, 1fr));
  max-width: 720px; }
.wt-fusion .wt-tally { font-weight: 600; margin: 4px 0 8px; min-height: 1.4em; }
.wt.wt-fusion .wt-board th:first-child { text-align: left; font-weight: 400; }
.wt.wt-fusion .wt-board [aria-current] { background: var(--wt-hover); }
@container (max-width: 620px) {
  .wt-fusion .wt-main { display: block; }
  .wt-fusion .wt-seen { display: grid; grid-template-columns: 1fr 1fr; gap: 2px 8px;
    padding-bottom: 6px; margin-bottom: 6px; }
  .wt-fusion .wt-big canvas.wt-over, .wt-fusion .wt-cut canvas { max-height: 24vh; }
  .wt-fusion .wt-cut { grid-template-columns: 1fr; margin: 0; }
  .wt-fusion .wt-cut > :last-child { display: none; }
  .wt-fusion .wt-now { grid-column: 1 / -1; margin: 0; }
}
`;

export default { render };
