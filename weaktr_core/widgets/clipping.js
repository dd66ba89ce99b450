// Clip map: start value and window of the clipping loss, and the pixels that stop teaching.

import {
  choice,
  classLegend,
  connect,
  drawLabels,
  drawMap,
  drawPixels,
  followPage,
  loadImage,
  make,
  percent,
  photoPixels,
  range,
  STYLE,
  tick,
  toBytes,
  unpack,
} from "./shared.js";

const KINDS = { wrong: [0, 114, 178], right: [230, 159, 0], missed: [204, 121, 167] };

async function render({ model, el }) {
  const data = model.get("data");
  const scenes = await Promise.all(data.photos.map((p) => open(p, data.grid)));
  const view = { model, data, scenes, ...batchOf(scenes, data.grid) };
  const traits = ["photo", "start", "window", "per_image", "truth"];
  Object.assign(
    view,
    connect(model, traits, () => draw(view)),
  );
  view.parts = { ...panels(data), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("clipping", root, view);
  return () => {
    leave();
    view.stop();
  };
}

/** A scene unpacked; losses are in steps, whole numbers, so that sums are exact. */
async function open(p, grid) {
  const [label, bytes, truth] = await Promise.all(
    [p.label, p.loss, p.truth].map((packed) => packed && unpack(packed)),
  );
  const count = grid[0] * grid[1];
  const loss = Float64Array.from(label, (_, i) => 256 * bytes[i] + bytes[count + i]);
  const pixels = photoPixels(await loadImage(p.jpeg), grid);
  const grey = Array.from(label, (_, i) => {
    const v = (pixels[4 * i] + pixels[4 * i + 1] + pixels[4 * i + 2]) / 3;
    return new Array(3).fill(Math.floor(140 + 0.45 * v));
  });
  const wrong = Uint8Array.from(
    label,
    (own, i) => truth !== null && truth[i] !== 255 && own !== 255 && truth[i] !== own,
  );
  return { ...p, label, loss, truth, pixels, grey, wrong, mean: mean(loss) };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** Sums over the scenes, which are one batch. */
function batchOf(scenes, [h, w]) {
  const batchSum = new Float64Array(h * w);
  for (const { loss } of scenes)
    loss.forEach((v, i) => {
      batchSum[i] += v;
    });
  return { batchSum, batchMean: mean(batchSum) / scenes.length };
}

// ---- what is clipped

const sideNow = ({ at, data }) => at("window", Math.max(...data.grid) + 1, 2);

/**
 * The larger of the window's mean and the mean of all; windows end with the image. `sums`
 * are those of the losses of some images; they stay whole until the last step.
 */
function ceiling([h, w], sums, images, overall, side) {
  const found = new Float64Array(h * w);
  for (let y = 0; y < h; y += side)
    for (let x = 0; x < w; x += side) {
      const [bottom, right] = [Math.min(h, y + side), Math.min(w, x + side)];
      let sum = 0;
      for (let r = y; r < bottom; r++)
        for (let c = x; c < right; c++) sum += sums[r * w + c];
      const value = Math.max(sum / (images * (bottom - y) * (right - x)), overall);
      for (let r = y; r < bottom; r++) found.fill(value, r * w + x, r * w + right);
    }
  return found;
}

/** Threshold and clipped pixels of each image of the batch. */
function measure(view) {
  const { model, data, scenes, batchSum, batchMean } = view;
  const alone = model.get("per_image");
  const side = sideNow(view);
  const shared = alone
    ? null
    : ceiling(data.grid, batchSum, scenes.length, batchMean, side);
  for (const s of scenes) {
    const overall = alone ? s.mean : batchMean;
    s.lambda = shared || ceiling(data.grid, s.loss, 1, overall, side);
    s.on = overall <= model.get("start") * data.step;
    s.clipped = new Uint8Array(s.loss.length);
    for (let i = 0; s.on && i < s.loss.length; i++) s.clipped[i] = s.loss[i] > s.lambda[i];
  }
}

/** Pixels of some images: all, clipped, wrong, both. */
function counts(chosen) {
  const n = { all: 0, clipped: 0, wrong: 0, both: 0 };
  for (const s of chosen)
    s.clipped.forEach((clipped, i) => {
      n.all += 1;
      n.clipped += clipped;
      n.wrong += s.wrong[i];
      n.both += s.wrong[i] & clipped;
    });
  return n;
}

// ---- what the page consists of

function panels({ top }) {
  const panel = (name, caption) => {
    const canvas = make("canvas", { role: "img", class: `wt-${name}` });
    const words = make("p", { class: "wt-caption" }, caption);
    return { canvas, words, figure: make("div", {}, canvas, words) };
  };
  return {
    panels: {
      label: panel("label", "picture and its label"),
      loss: panel("loss", `loss ℓ, 0 (dark) to ${top} nats (bright)`),
      lambda: panel("lambda", ""),
      clip: panel("clip", "pixels that do not teach"),
    },
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    key: make("div"),
  };
}

function fields({ set, scenes, data }) {
  const most = Math.max(...data.grid);
  return {
    start: range("Start value", { min: 0, max: 4, step: 0.01 }, (v) => set({ start: v })),
    window: range("Window", { min: 2, max: most, step: 1 }, (v) => set({ window: v })),
    photo: choice(
      "Scene",
      scenes.map((s, i) => [i, s.name]),
      0,
      (v) => set({ photo: Number(v) }),
    ),
    alone: tick("means of each image alone", (on) => set({ per_image: on })),
    truth: tick("mark wrong labels (true mask)", (on) => set({ truth: on })),
  };
}

function layout(view) {
  const { parts, scenes } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  const figures = Object.values(parts.panels).map((p) => p.figure);
  return make(
    "div",
    { class: "wt wt-clipping" },
    make("style", {}, STYLE + CLIPPING_STYLE),
    bar(parts.start, parts.window, view.undoField),
    bar(scenes.length < 2 ? "" : parts.photo, parts.alone, parts.truth),
    make("p", { class: "wt-note" }, NOTE),
    make("div", { class: "wt-panels" }, ...figures),
    parts.key,
    parts.say,
  );
}

const NOTE =
  "All scenes of the list are one batch. The threshold is the larger of the window's " +
  "mean loss and the mean of all.";

const CLIPPING_STYLE = `
.wt-clipping .wt-panels { display: grid; gap: 10px; margin-top: 10px;
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
.wt-clipping .wt-panels canvas { width: 100%; display: block; border-radius: 4px;
  image-rendering: pixelated; }
.wt .wt-caption { font-size: 13px; margin: 4px 0 0; }
.wt-clipping .wt-range input { width: min(260px, 50vw); }
@container (min-width: 800px) {
  .wt-clipping .wt-panels { grid-template-columns: repeat(4, minmax(0, 1fr)); }
}
`;

// ---- drawing

function draw(view) {
  const { model, parts, scenes, data } = view;
  const which = view.at("photo", scenes.length);
  const s = scenes[which];
  measure(view);
  parts.start.show(model.get("start"), model.get("start").toFixed(2));
  parts.window.show(sideNow(view), `${sideNow(view)} px`);
  parts.photo.show(which);
  parts.alone.show(model.get("per_image"));
  parts.truth.show(model.get("truth"), Boolean(s.truth));
  drawPanels(view, s);
  const nats = (v) => (v / data.step).toFixed(2);
  const [least, most] = [Math.min, Math.max].map((pick) =>
    s.lambda.reduce((a, b) => pick(a, b)),
  );
  const span = `${nats(least)} to ${nats(most)} nats`;
  parts.panels.lambda.words.textContent = `threshold λ, ${span} (colours as for ℓ)`;
  for (const p of Object.values(parts.panels))
    p.canvas.setAttribute("aria-label", `${s.name}: ${p.words.textContent}`);
  parts.say.textContent = sentence(view, s, nats);
  const kinds = marking(view, s)
    ? ["clipped, label wrong", "clipped, label right", "wrong, not clipped"]
    : ["clipped: no gradient"];
  const ids = kinds.map((_, i) => i);
  parts.key.replaceChildren(
    classLegend(s.present, data.names, data.colours),
    classLegend(ids, kinds, Object.values(KINDS)),
  );
}

const marking = ({ model }, s) => model.get("truth") && s.truth;

function drawPanels(view, s) {
  const { data, parts } = view;
  const { label, loss, lambda, clip } = parts.panels;
  const heat = (values) => toBytes(values, data.top * data.step);
  if (view.drawn !== s) {
    // these two change with the scene only
    drawLabels(label.canvas, s.pixels, s.label, data.grid, data.colours);
    drawMap(loss.canvas, heat(s.loss), data.grid);
    view.drawn = s;
  }
  drawMap(lambda.canvas, heat(s.lambda), data.grid);
  const marked = marking(view, s);
  drawPixels(clip.canvas, data.grid, (i) => {
    if (!marked || s.wrong[i])
      return s.clipped[i] ? KINDS.wrong : marked ? KINDS.missed : s.grey[i];
    return s.clipped[i] ? KINDS.right : s.grey[i];
  });
}

function sentence(view, s, nats) {
  const alone = view.model.get("per_image");
  const overall = nats(alone ? s.mean : view.batchMean);
  const whose = alone ? "this image" : "the batch";
  const begun = `${s.name}: the mean loss of ${whose} is ${overall}`;
  if (!s.on)
    return `${begun}, above the start value: nothing is clipped, all pixels teach.`;
  const n = counts([s]);
  const share = percent(n.clipped / n.all);
  const clipped = `Clipped: ${share} of this image's pixels.`;
  const said = `${begun}, not above the start value. ${clipped}`;
  if (!marking(view, s)) return said;
  return `${said} Here ${about(n)}. In the whole batch ${about(counts(view.scenes))}.`;
}

function about({ all, clipped, wrong, both }) {
  if (!clipped || !wrong)
    return `${percent(wrong / all)} of all labels are wrong, ${clipped} pixels are clipped`;
  return (
    `${percent(both / clipped)} of the clipped labels are wrong (of all labels ` +
    `${percent(wrong / all)}), and ${percent(both / wrong)} of the wrong ones are clipped`
  );
}

export default { render };
