// Training explorer: head weights, maps and curves; one slider moves them all.

import { panelOf } from "./curves.js";
import {
  button,
  choice,
  connect,
  drawMap,
  drawOverlay,
  followPage,
  headName,
  heatStyle,
  loadImage,
  make,
  range,
  STYLE,
  strip,
  strongest,
  tick,
  toBytes,
  unpackRows,
} from "./shared.js";

const BEAT = 900; // milliseconds an epoch is shown while playing

async function render({ model, el }) {
  const data = model.get("data");
  const [epochs, images, layers, heads] = data.shape;
  const view = { model, el, data, epochs, images, layers, heads };
  view.photos = await Promise.all(data.photos.map((p) => loadImage(p.jpeg)));
  view.rows = await unpackRows(data.maps);
  Object.assign(view, { playing: null, average: false });
  view.still = window.matchMedia("(prefers-reduced-motion: reduce)");
  Object.assign(
    view,
    connect(model, ["epoch", "photo", "stage", "common"], () => draw(view)),
  );
  view.parts = parts(view);
  const root = layout(view);
  el.replaceChildren(root);
  const halt = () => pause(view);
  view.still.addEventListener("change", halt);
  draw(view);
  const leave = followPage("training", root, view);
  return () => {
    leave();
    view.stop();
    clearInterval(view.playing);
    view.still.removeEventListener("change", halt);
  };
}

const epochNow = (view) => view.at("epoch", view.epochs);
const photoNow = (view) => view.at("photo", view.images);

/** Numbers of a map, one per patch. */
function map({ data, rows, images }, epoch, photo, stage) {
  const count = data.grid[0] * data.grid[1];
  const row = (epoch * images + photo) * data.stages.length + stage;
  const codes = rows.codes.subarray(row * count, (row + 1) * count);
  return Float64Array.from(codes, (code) => rows.scale[row] * rows.values[code]);
}

/** Scaled to its own largest value, or to the largest of all epochs. */
function bytes(view, epoch, photo, stage) {
  const values = map(view, epoch, photo, stage);
  if (!view.model.get("common")) return toBytes(values);
  const all = Array.from({ length: view.epochs }, (_, e) =>
    Math.max(...map(view, e, photo, stage)),
  );
  return toBytes(values, Math.max(...all));
}

/** Of a head in an epoch: of this picture, or of the mean picture. */
function weight(view, epoch, head) {
  const { data, images, layers, heads } = view;
  const of = (image) => data.weights[(epoch * images + image) * layers * heads + head];
  if (!view.average) return of(photoNow(view));
  const all = Array.from({ length: images }, (_, image) => of(image));
  return all.reduce((a, b) => a + b, 0) / images;
}

// ---- play and pause

function toggle(view) {
  const { epochs, still } = view;
  if (still.matches) {
    view.set({ epoch: (epochNow(view) + 1) % epochs });
    return;
  }
  if (view.playing !== null) {
    pause(view);
    return;
  }
  if (epochNow(view) === epochs - 1) view.set({ epoch: 0 });
  view.playing = setInterval(() => beat(view), BEAT);
  draw(view);
}

function beat(view) {
  if (view.el.isConnected) view.write({ epoch: epochNow(view) + 1 });
  if (!view.el.isConnected || epochNow(view) >= view.epochs - 1) pause(view);
  else draw(view);
}

function pause(view) {
  clearInterval(view.playing);
  view.playing = null;
  draw(view);
}

// ---- what the page consists of

function parts(view) {
  const { data, epochs } = view;
  const epoch = range("Epoch", { min: 0, max: epochs - 1, step: 1 }, (v) => {
    if (view.playing !== null) pause(view);
    view.set({ epoch: v });
  });
  return {
    epoch,
    play: button("", () => toggle(view)),
    photo: choice(
      "Picture",
      data.photos.map((p, i) => [i, p.name]),
      0,
      (v) => view.set({ photo: Number(v) }),
    ),
    whose: choice(
      "Weights of",
      [
        ["one", "this picture"],
        ["all", "the mean picture"],
      ],
      "one",
      (v) => {
        view.average = v === "all";
        draw(view);
      },
    ),
    common: tick("one scale for all epochs", (on) => view.set({ common: on })),
    big: make("canvas", { role: "img" }),
    strip: strip(data.stages, (stage) => view.set({ stage })),
    panels: data.panels.map((panel) => panelOf(panel, data.epochs)),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    words: strongest(),
    ...table(view),
  };
}

function table({ layers, heads }) {
  const cells = Array.from({ length: layers * heads }, () => make("td"));
  const lines = Array.from({ length: layers }, (_, layer) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, String(layer + 1)),
      ...cells.slice(layer * heads, (layer + 1) * heads),
    ),
  );
  const weights = make(
    "table",
    { class: "wt-weights" },
    make("caption", {}, "head weights: layers down, heads across"),
    make("tbody", {}, ...lines),
  );
  return { cells, weights };
}

function layout(view) {
  const { parts: shown } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  return make(
    "div",
    { class: "wt wt-training" },
    make("style", {}, STYLE + TRAINING_STYLE),
    bar(shown.play, shown.epoch, view.undoField),
    bar(shown.photo, shown.whose, shown.common),
    make("p", { class: "wt-note" }, HOW),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, shown.big),
      make("div", { class: "wt-side" }, shown.weights),
      make("div", { class: "wt-stages" }, shown.strip.element),
    ),
    make("div", { class: "wt-panels" }, ...shown.panels.map((p) => p.element)),
    shown.say,
    shown.words,
  );
}

const HOW = "Move the slider, also with the arrow keys; press a small map to see it large.";

const TRAINING_STYLE = `
.wt-training .wt-value { min-width: 7em; }
.wt-training .wt-main { display: grid; gap: 8px 16px; margin-top: 10px;
  grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); grid-template-rows: auto 1fr; }
.wt-training .wt-side { grid-column: 1; grid-row: 1 / 3; min-width: 0; }
.wt-training .wt-big { grid-column: 2; grid-row: 1; }
.wt-training .wt-stages { grid-column: 2; min-width: 0; }
.wt.wt-training table.wt-weights { width: 100%; border-collapse: separate;
  border-spacing: 2px; font-size: 11px; table-layout: fixed; }
.wt.wt-training .wt-weights caption { font-size: 13px; }
.wt.wt-training .wt-weights td { padding: 4px 0; text-align: center; border-radius: 3px;
  border: 0; }
.wt.wt-training .wt-weights th { width: 24px; padding: 0 4px 0 0; font-weight: 400; border: 0; }
.wt-training .wt-big canvas { cursor: default; touch-action: auto; }
.wt.wt-training .wt-strip { margin-top: 0; gap: 6px;
  grid-template-columns: repeat(auto-fit, minmax(66px, 1fr)); }
.wt-training .wt-panels { display: grid; gap: 14px; margin-top: 12px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 240px), 1fr)); }
.wt-training .wt-panel { min-width: 0; }
.wt-training .wt-panel svg { width: 100%; height: auto; display: block; }
.wt-training .wt-legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 12px;
  margin: 0; padding: 0; font-size: 12px; }
.wt-training .wt-legend li { margin: 0; }
.wt-training .wt-legend i { display: inline-block; width: 12px; height: 4px;
  margin-right: 4px; vertical-align: middle; }
@container (max-width: 620px) {
  .wt-training .wt-main { display: block; }
  .wt-training .wt-main > * { margin-bottom: 10px; }
}
`;

// ---- drawing

function draw(view) {
  const { data, epochs, parts: shown, playing, still } = view;
  const [epoch, photo] = [epochNow(view), photoNow(view)];
  const stage = view.at("stage", data.stages.length);
  shown.play.textContent = still.matches
    ? "next epoch"
    : playing === null
      ? "play"
      : "pause";
  shown.epoch.show(epoch, data.epochs[epoch]);
  shown.photo.show(photo);
  shown.common.show(view.model.get("common"));
  shown.cells.forEach((cell, head) => {
    const value = weight(view, epoch, head);
    cell.setAttribute("style", heatStyle(value / data.top));
    cell.textContent = value.toFixed(2);
  });
  const large = bytes(view, epoch, photo, stage);
  const title = `${data.stages[stage]}, ${data.photos[photo].name}, ${data.epochs[epoch]}`;
  drawOverlay(shown.big, view.photos[photo], large, data.grid);
  shown.big.setAttribute("aria-label", title);
  shown.words.show(large, data.grid, title);
  shown.strip.canvases.forEach((canvas, s) =>
    drawMap(canvas, bytes(view, epoch, photo, s), data.grid),
  );
  shown.strip.show(stage);
  for (const panel of shown.panels) panel.at(epoch);
  if (playing === null || epoch === epochs - 1) report(view, epoch, photo, stage);
}

function report(view, epoch, photo, stage) {
  const { data, heads, parts: shown } = view;
  const values = shown.cells.map((_, head) => weight(view, epoch, head));
  const named = (value) =>
    `${headName(values.indexOf(value), heads)} (${value.toFixed(2)})`;
  shown.say.textContent =
    `${data.epochs[epoch]}, ${data.photos[photo].name}, ${data.stages[stage]}. ` +
    `Most trusted: ${named(Math.max(...values))}; least: ${named(Math.min(...values))}.`;
}

export default { render };
