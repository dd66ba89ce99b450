// Threshold explorer: a background score, the labels it makes, how good they are.

import { countPixels, quality, sweep } from "./scores.js";
import {
  choice,
  classLegend,
  connect,
  drawLabels,
  followPage,
  loadImage,
  make,
  nearest,
  percent,
  photoPixels,
  range,
  STYLE,
  svg,
  tick,
  unpack,
} from "./shared.js";
import { plot, thresholdAt } from "./thresholds_plot.js";

const MARKS = ["var(--wt-otsu)", "var(--wt-good)"];

async function render({ model, el }) {
  const data = model.get("data");
  const view = { model, data, thresholds: data.thresholds, marks: MARKS };
  view.scenes = await Promise.all(data.photos.map((p) => open(p, data)));
  view.labels = new Map(); // label maps that were asked for
  const traits = ["photo", "threshold", "crf", "truth", "curve"];
  Object.assign(
    view,
    connect(model, traits, () => draw(view)),
  );
  view.parts = { ...pictures(view), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("thresholds", root, view);
  return () => {
    leave();
    view.stop();
  };
}

/** A scene unpacked, with its own curve where its mask is known. */
async function open(p, { names, thresholds, crf: stored }) {
  const [best, beaten, truth, crf] = await Promise.all(
    [p.best, p.beaten, p.mask, p.crf].map((packed) => packed && unpack(packed)),
  );
  const pixels = photoPixels(await loadImage(p.jpeg), p.grid);
  const scene = { ...p, best, beaten, truth, pixels, own: null };
  const count = p.grid[0] * p.grid[1];
  scene.crf = crf && stored.map((_, n) => crf.subarray(n * count, (n + 1) * count));
  if (truth) {
    const sizes = { labels: names.length, cuts: thresholds.length };
    scene.own = Array.from(sweep(countPixels(scene, sizes)));
    scene.after = scene.crf?.map((found) => quality(found, truth, names.length)[0]);
  }
  return scene;
}

// ---- what is chosen

const sceneOf = (view) => view.scenes[view.at("photo", view.scenes.length)];
const stepNow = ({ thresholds, model }) => nearest(thresholds, model.get("threshold"));
const curveNow = (view) => view.at("curve", view.data.names.length, -1);
const storedNow = ({ data, model }) => nearest(data.crf, model.get("threshold"));
const withCrf = ({ model }, scene) => model.get("crf") && scene.crf;
const jump = (view, threshold) =>
  view.set({ threshold: view.thresholds[nearest(view.thresholds, threshold)] });

/** Labels at the current threshold; after the CRF, those of the nearest stored one. */
function labelsOf(view, scene) {
  if (withCrf(view, scene)) return scene.crf[storedNow(view)];
  const step = stepNow(view);
  const key = view.scenes.indexOf(scene) * view.thresholds.length + step;
  if (!view.labels.has(key))
    view.labels.set(
      key,
      scene.best.map((label, i) => (scene.beaten[i] > step ? label : 0)),
    );
  return view.labels.get(key);
}

// ---- what the page consists of

function pictures(view) {
  const curve = svg("svg", { role: "img", class: "wt-curve" });
  const drag = (event) => {
    if (event.type === "pointerdown") curve.setPointerCapture(event.pointerId);
    else if (!curve.hasPointerCapture(event.pointerId)) return;
    jump(view, thresholdAt(event, curve, view.thresholds));
  };
  curve.addEventListener("pointerdown", drag);
  curve.addEventListener("pointermove", drag);
  return {
    curve,
    big: make("canvas", { role: "img" }),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    key: make("div"),
  };
}

function fields(view) {
  const { data, scenes, thresholds, set } = view;
  const known = data.names
    .map((name, c) => [c, `all scenes, ${name}`])
    .filter(([c]) => data.curves[c + 1]?.some((v) => v !== null));
  return {
    slider: range(
      "Background score",
      { min: 0, max: thresholds.length - 1, step: 1 },
      (n) => set({ threshold: thresholds[n] }),
    ),
    jumps: data.marks.map(([name, t], k) =>
      make(
        "button",
        {
          type: "button",
          style: `border-left: 6px solid ${MARKS[k]}`,
          onclick: () => jump(view, t),
        },
        `${name}: ${t.toFixed(2)}`,
      ),
    ),
    photo: choice(
      "Scene",
      scenes.map((s, i) => [i, s.name]),
      0,
      (v) => set({ photo: Number(v) }),
    ),
    crf: tick("edges of the picture (CRF)", (on) => set({ crf: on })),
    truth: tick("outline of the true mask", (on) => set({ truth: on })),
    blue: choice("Blue curve", [[-1, "all scenes, mean over classes"], ...known], -1, (v) =>
      set({ curve: Number(v) }),
    ),
  };
}

function layout(view) {
  const { parts, scenes, data } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  const notes = [
    "Grey bars: how often a score occurs in this scene (its top classes' score).",
    data.curves.length ? "Blue: all scenes." : "",
    scenes.some((s) => s.truth) ? "Purple, dashed: this scene; dots: after the CRF." : "",
    "Vertical lines: the two choices, as on the buttons. Drag in the plot or use the slider.",
  ];
  const note = make("p", { class: "wt-note" }, notes.filter(Boolean).join(" "));
  return make(
    "div",
    { class: "wt wt-thresholds" },
    make("style", {}, STYLE + THRESHOLDS_STYLE),
    bar(parts.slider, ...parts.jumps, view.undoField),
    bar(
      scenes.length < 2 ? "" : parts.photo,
      parts.crf,
      parts.truth,
      data.curves.length ? parts.blue : "",
    ),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, parts.big),
      make("div", { class: "wt-side" }, parts.curve, note),
    ),
    parts.key,
    parts.say,
  );
}

const THRESHOLDS_STYLE = `
.wt-thresholds { --wt-otsu: #b34700; --wt-own: #8a5a78; --wt-all: #0072b2; }
:is(html[data-theme="dark"], html[theme="dark"]) .wt-thresholds { --wt-otsu: #ff8a3d;
  --wt-own: #d69cc2; --wt-all: #5cb8f0; }
.wt-thresholds .wt-big canvas { cursor: default; }
.wt-thresholds .wt-main > * { flex: 1 1 300px; min-width: 0; }
.wt-curve { width: 100%; display: block; cursor: ew-resize; touch-action: pan-y; }
.wt-thresholds .wt-range input { width: min(300px, 60vw); }
`;

// ---- drawing

function draw(view) {
  const { model, parts, thresholds, data } = view;
  const scene = sceneOf(view);
  const found = labelsOf(view, scene);
  const at = thresholds[stepNow(view)].toFixed(2);
  parts.slider.show(stepNow(view), at);
  parts.photo.show(view.at("photo", view.scenes.length));
  parts.blue.show(curveNow(view));
  parts.crf.show(model.get("crf"), Boolean(scene.crf));
  parts.truth.show(model.get("truth"), Boolean(scene.truth));
  drawLabels(parts.big, scene.pixels, found, scene.grid, data.colours);
  if (model.get("truth") && scene.truth) outline(parts.big, scene);
  const words = sentence(view, scene, found, at);
  parts.say.textContent = words;
  parts.big.setAttribute("aria-label", words);
  parts.key.replaceChildren(classLegend(scene.present, data.names, data.colours));
  const curves = data.curves.length ? data.curves[curveNow(view) + 1] : null;
  const after = withCrf(view, scene) ? scene.after : null;
  plot(parts.curve, view, { ...scene, curves, after }, stepNow(view));
  parts.curve.setAttribute(
    "aria-label",
    `Quality at every background score; the cursor is at ${at}`,
  );
}

/** True labels change between a pixel and the one below or to the right. */
function outline(canvas, { grid, truth }) {
  const [h, w] = grid;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  for (let i = 0; i < h * w; i++) {
    const beside = (i % w) + 1 < w && truth[i] !== truth[i + 1];
    const below = i + w < h * w && truth[i] !== truth[i + w];
    if (beside || below) context.fillRect(i % w, Math.floor(i / w), 1, 1);
  }
}

function sentence(view, scene, found, at) {
  const { data, thresholds } = view;
  const choices = data.marks.filter(([, t]) => nearest(thresholds, t) === stepNow(view));
  const who = choices.length ? ` (${choices.map(([name]) => name).join("; ")})` : "";
  const crf = withCrf(view, scene)
    ? `, after the CRF at ${data.crf[storedNow(view)].toFixed(2)}`
    : "";
  const objects = found.reduce((n, label) => n + (label !== 0), 0) / found.length;
  const parts = [
    `${scene.name}, background score ${at}${who}${crf}: ` +
      `${percent(objects)} of the pixels go to a class.`,
  ];
  if (scene.truth) {
    const [miou, right] = quality(found, scene.truth, data.names.length);
    parts.push(
      `${percent(right)} of all pixels are right; mIoU of this scene ${percent(miou)}.`,
    );
  }
  const curve = curveNow(view);
  const chosen = data.curves[curve + 1]?.[stepNow(view)] ?? null;
  if (chosen !== null) {
    const name = curve < 0 ? "mIoU" : `IoU of ${data.names[curve]}`;
    parts.push(`${name} of all scenes, without CRF: ${percent(chosen)}.`);
  }
  return parts.join(" ");
}

export default { render };
