// Patch attention: click a patch, see which patches it attends to.

import {
  ARROWS,
  choice,
  connect,
  drawMap,
  drawOverlay,
  followPage,
  heatLegend,
  loadImage,
  make,
  onDrag,
  patchAt,
  range,
  STYLE,
  strip,
  strongest,
  unpack,
} from "./shared.js";

async function render({ model, el }) {
  const data = model.get("data");
  const [layers, heads] = data.shape;
  const [photo, rows] = await Promise.all([loadImage(data.jpeg), unpack(data.attention)]);
  const view = { model, data, layers, heads, photo, rows };
  Object.assign(
    view,
    connect(model, ["query", "layer", "head"], () => draw(view)),
  );
  view.parts = parts(view);
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("patches", root, view);
  return () => {
    leave();
    view.stop();
  };
}

function now({ at, data, layers, heads }) {
  const [h, w] = data.grid;
  return {
    query: at("query", h * w),
    layer: at("layer", layers),
    head: at("head", heads, -1),
  };
}

/** Attention in a layer; head -1 is the mean over heads, as it is before scaling to 255. */
function row(view, layer) {
  const { heads, data, rows } = view;
  const { head, query } = now(view);
  const count = data.grid[0] * data.grid[1];
  const map = layer * (heads + 1) + (head < 0 ? heads : head);
  const start = (map * count + query) * count;
  return rows.subarray(start, start + count);
}

// ---- asking from another patch

function ask(view, y, x) {
  const [h, w] = view.data.grid;
  const query = y * w + x;
  const there = y >= 0 && y < h && x >= 0 && x < w;
  if (there && query !== view.model.get("query")) view.set({ query });
}

function pick(view, event) {
  const { grid } = view.data;
  const [y, x] = patchAt(event, view.parts.big, grid).map((v, axis) =>
    Math.min(grid[axis] - 1, Math.max(0, Math.floor(v))),
  );
  ask(view, y, x);
}

function step(view, event) {
  if (!(event.key in ARROWS)) return;
  event.preventDefault();
  const { query } = now(view);
  const [dy, dx] = ARROWS[event.key];
  const w = view.data.grid[1];
  ask(view, Math.floor(query / w) + dy, (query % w) + dx);
}

// ---- what the page consists of

function parts(view) {
  const { data, layers } = view;
  const big = make("canvas", {
    tabindex: "0",
    role: "application",
    onkeydown: (event) => step(view, event),
  });
  onDrag(big, (event) => pick(view, event));
  const heads = [
    [-1, "mean of all heads"],
    ...data.heads.map((k, i) => [i, `head ${k + 1}`]),
  ];
  const names = Array.from({ length: layers }, (_, i) => `layer ${i + 1}`);
  return {
    big,
    small: make("canvas", { class: "wt-map", role: "img" }),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    layer: range("Layer", { min: 1, max: layers, step: 1 }, (v) =>
      view.set({ layer: v - 1 }),
    ),
    head: choice("Head", heads, -1, (v) => view.set({ head: Number(v) })),
    strip: strip(names, (layer) => view.set({ layer })),
    words: strongest(),
  };
}

function layout(view) {
  const { big, say, small, layer, head, strip: layers, words } = view.parts;
  const note = (...children) => make("p", { class: "wt-note" }, ...children);
  return make(
    "div",
    { class: "wt wt-patches" },
    make("style", {}, STYLE + PATCHES_STYLE),
    make("div", { class: "wt-bar" }, layer, head, view.undoField),
    note("Click a patch or drag over the photo; or focus it and use the arrow keys."),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, big, say),
      make(
        "div",
        { class: "wt-side" },
        small,
        note(heatLegend("no attention", "most of each map")),
        note("The same patch, layer by layer:"),
        layers.element,
      ),
    ),
    words,
  );
}

const PATCHES_STYLE = `
.wt-patches .wt-main { margin-top: 10px; }
.wt-patches .wt-side { flex: 1 1 260px; min-width: 0; }
.wt-map { width: 100%; max-width: 300px; max-height: 300px; object-fit: contain;
  image-rendering: pixelated; border-radius: 4px; display: block; }
.wt.wt-patches .wt-strip { grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); }
.wt-patches .wt-strip canvas { max-height: 90px; object-fit: contain; background: #000; }
.wt-patches .wt-value { min-width: 4.5em; }
@container (max-width: 620px) { .wt-map { display: none; } }
`;

// ---- drawing

function draw(view) {
  const { data, photo, layers, parts: shown } = view;
  const { query, layer, head } = now(view);
  shown.layer.show(layer + 1, `${layer + 1} of ${layers}`);
  shown.head.show(head);
  drawOverlay(shown.big, photo, row(view, layer), data.grid, query);
  drawMap(shown.small, row(view, layer), data.grid);
  shown.strip.canvases.forEach((canvas, i) => drawMap(canvas, row(view, i), data.grid));
  shown.strip.show(layer);
  const who = head < 0 ? "mean of all heads" : `head ${data.heads[head] + 1}`;
  const w = data.grid[1];
  const where = `row ${Math.floor(query / w) + 1}, column ${(query % w) + 1}`;
  const asked = `what the patch in ${where} attends to in layer ${layer + 1}, ${who}`;
  const text = `${data.name}: ${asked}.`;
  shown.say.textContent = text;
  shown.big.setAttribute("aria-label", `${text} Arrow keys move the patch.`);
  shown.small.setAttribute("aria-label", "the same attention, without the photo");
  shown.words.show(row(view, layer), data.grid, text);
}

export default { render };
