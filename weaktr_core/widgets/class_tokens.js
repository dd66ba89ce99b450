// Class tokens: where each class's token looks, stage beside stage, class by layer.

import {
  ARROWS,
  choice,
  connect,
  drawMap,
  drawOverlay,
  followPage,
  loadImage,
  make,
  range,
  refill,
  STYLE,
  strongest,
  tick,
  unpack,
} from "./shared.js";

const TRAITS = ["photo", "token", "layer", "stage", "apart"];
const KEY = { own: "the class itself", others: "other objects", ground: "ground" };

async function render({ model, el }) {
  const data = model.get("data");
  const view = { model, data, photos: await Promise.all(data.photos.map(open)) };
  Object.assign(
    view,
    connect(model, TRAITS, () => draw(view)),
  );
  view.cells = data.classes.map((_, token) =>
    data.rows.map((_, layer) => cellOf(view, token, layer)),
  );
  view.parts = { ...pictures(view), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("class_tokens", root, view);
  return () => {
    leave();
    view.stop();
  };
}

async function open(p) {
  return { ...p, image: await loadImage(p.jpeg), values: await unpack(p.maps) };
}

// ---- what is chosen

function now(view) {
  const { at, data, photos } = view;
  return {
    p: photos[at("photo", photos.length)],
    token: at("token", data.classes.length),
    row: at("layer", data.rows.length),
    stage: at("stage", data.stages.length),
  };
}

const percent = (thousandths) => `${(thousandths / 10).toFixed(1)} %`;

function map({ model, data }, p, stage, row, token) {
  const { stages, rows, classes } = data;
  const half = model.get("apart") ? 1 : 0;
  const count = p.grid[0] * p.grid[1];
  const layer = (half * stages.length + stage) * rows.length + row;
  const index = layer * classes.length + token;
  return p.values.subarray(index * count, (index + 1) * count);
}

/** Classes of the photo first. */
function order({ data }, p) {
  const all = data.classes.map((_, k) => k);
  return [...all.filter((k) => p.tags[k]), ...all.filter((k) => !p.tags[k])];
}

/** Stay with the class where the next photo has it, else take one that it has. */
function turnTo(view, photo) {
  const { tags } = view.photos[photo];
  const { token } = now(view);
  view.set({ photo, token: tags[token] || !tags.includes(1) ? token : tags.indexOf(1) });
}

function walk(view, event, token, row) {
  if (!(event.key in ARROWS)) return;
  event.preventDefault();
  const sorted = order(view, now(view).p);
  const [down, across] = ARROWS[event.key];
  view.cells[sorted[sorted.indexOf(token) + down]]?.[row + across]?.button.focus();
}

// ---- what the page consists of

function cellOf(view, token, layer) {
  const canvas = make("canvas");
  const button = make(
    "button",
    {
      type: "button",
      onclick: () => view.set({ token, layer }),
      onkeydown: (event) => walk(view, event, token, layer),
    },
    canvas,
  );
  return { canvas, button };
}

function pictures({ data }) {
  const { classes, rows, stages, layers } = data;
  const panels = stages.map((name) => {
    const canvas = make("canvas", { role: "img" });
    const shares = Object.keys(KEY).map((part) => make("i", { class: `wt-${part}` }));
    const bar = make("div", { class: "wt-share", "aria-hidden": "true" }, ...shares);
    const text = make("p");
    const box = make("div", { class: "wt-stage" }, make("b", {}, name), canvas, bar, text);
    return { box, canvas, shares, bar, text };
  });
  const grid = make("div", {
    class: "wt-table",
    role: "group",
    "aria-label": "all classes and layers",
  });
  grid.style.setProperty("--rows", rows.length);
  return {
    panels,
    grid,
    titles: classes.map((name) => make("span", { class: "wt-class" }, name)),
    heads: rows.map((_, row) =>
      row < layers
        ? make("span", { class: "wt-layer" }, String(row + 1))
        : make("span", { class: "wt-layer wt-tall" }, row === layers ? "mean" : "weighted"),
    ),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    words: strongest(),
  };
}

function fields(view) {
  const { data, photos, set } = view;
  return {
    photo: choice(
      "Picture",
      photos.map((p, i) => [i, p.name]),
      0,
      (v) => turnTo(view, Number(v)),
    ),
    token: make("span"),
    layer: range("Layer", { min: 0, max: data.rows.length - 1, step: 1 }, (v) =>
      set({ layer: v }),
    ),
    apart: tick("only what sets the class apart", (on) => set({ apart: on })),
    stage: choice(
      "Small maps",
      data.stages.map((s, i) => [i, s]),
      0,
      (v) => set({ stage: Number(v) }),
    ),
  };
}

function layout(view) {
  const { parts, photos, data } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  const note = (...children) => make("p", { class: "wt-note" }, ...children);
  const key = Object.entries(KEY).map(([part, name]) =>
    make("span", {}, make("i", { class: `wt-${part}` }), ` ${name}`),
  );
  const legend = make("p", { class: "wt-note wt-key" }, ...key);
  return make(
    "div",
    { class: "wt wt-class_tokens" },
    make("style", {}, STYLE + TOKENS_STYLE),
    bar(
      photos.length < 2 ? "" : parts.photo,
      parts.token,
      parts.layer,
      parts.apart,
      view.undoField,
    ),
    note(HOW),
    make(
      "div",
      { class: "wt-body" },
      make("div", { class: "wt-main wt-stay" }, ...parts.panels.map((one) => one.box)),
      photos.some((p) => p.own) ? legend : "",
      parts.say,
      bar(data.stages.length < 2 ? "" : parts.stage),
      parts.grid,
    ),
    parts.words,
  );
}

const HOW =
  "Rows are classes, those in the picture first and bold; columns are layers. Small maps " +
  "show the square root of the attention; every map has its own scale. Press a small map, " +
  "or walk with the arrow keys and press Enter.";

const TOKENS_STYLE = `
.wt-class_tokens .wt-main { margin-top: 10px; }
.wt-stage { flex: 1 1 120px; min-width: 0; max-width: 420px; }
.wt-stage canvas { width: 100%; height: auto; display: block; border-radius: 4px;
  margin-top: 4px; touch-action: manipulation; }
.wt-stage p { margin: 4px 0 0; font-size: 13px; }
.wt-share { display: flex; height: 10px; margin-top: 6px; }
.wt-share[hidden] { display: none; }
.wt-share i, .wt-key i { background: #b8b8b8; }
.wt-share .wt-own, .wt-key .wt-own { background: #0072b2; }
.wt-share .wt-others, .wt-key .wt-others { background: #e69f00; }
.wt-key { display: flex; flex-wrap: wrap; gap: 2px 14px; }
.wt-key i { display: inline-block; width: 12px; height: 10px; }
.wt-table { display: grid; gap: 2px; align-items: center;
  grid-template-columns: minmax(0, 5.5em) repeat(var(--rows), minmax(0, 1fr)); }
.wt-table span { font-size: 12px; line-height: 1.2; text-align: center; overflow: hidden;
  align-self: end; }
.wt-table .wt-tall { writing-mode: vertical-rl; transform: rotate(180deg);
  justify-self: center; }
.wt-table .wt-class { align-self: center; text-align: left; text-overflow: ellipsis;
  white-space: nowrap; }
.wt-table .wt-tagged { font-weight: 700; }
.wt .wt-table button { padding: 0; border: 2px solid transparent; border-radius: 4px;
  min-height: 0; background: none; line-height: 0; }
.wt .wt-table button[aria-pressed="true"] { border-color: var(--wt-blue);
  background: var(--wt-blue); }
@media (pointer: coarse) { .wt .wt-table button { min-height: 44px; } }
.wt-table canvas { width: 100%; image-rendering: pixelated; display: block; }
.wt-class_tokens .wt-value { min-width: 11em; }
@container (max-width: 620px) {
  .wt-table { grid-template-columns: repeat(7, minmax(0, 1fr)); }
  .wt-table .wt-class { grid-column: 1 / -1; margin-top: 4px; }
  .wt-table > span:first-child, .wt-table .wt-layer { display: none; }
}
`;

// ---- drawing

function draw(view) {
  const { model, data, photos, parts } = view;
  const { p, token, row, stage } = now(view);
  drawClasses(view, p, token);
  parts.photo.show(photos.indexOf(p));
  parts.stage.show(stage);
  parts.layer.show(row, data.rows[row]);
  parts.apart.show(model.get("apart"));
  const said = parts.panels.map((panel, n) => drawPanel(view, panel, n)).join(", ");
  const measured = !p.own
    ? "Elsewhere than the average class token"
    : `Share on ${p.tags[token] ? data.classes[token] : "objects"}`;
  const even = p.own && percent(p.tags[token] ? p.even[0][token] : p.even[1][token]);
  const what = model.get("apart") ? "what sets it apart" : "its attention";
  parts.say.textContent =
    `${p.name}: class token of ${data.classes[token]}, ${data.rows[row]}, ${what}. ` +
    `${measured}: ${said}${even ? ` (looking evenly: ${even})` : ""}.`;
  drawTable(view);
}

/** The classes to choose from, those of the photo first. */
function drawClasses(view, p, token) {
  const { data, parts } = view;
  const options = order(view, p).map((k) => [
    k,
    data.classes[k] + (p.tags[k] ? " (in the picture)" : ""),
  ]);
  const field = choice("Class", options, token, (v) => view.set({ token: Number(v) }));
  refill(parts.token, field);
}

/** A stage's map on the photo, and how its attention is divided -> what is said of it. */
function drawPanel(view, panel, stage) {
  const { data, parts } = view;
  const { p, token, row } = now(view);
  const away = percent(p.elsewhere[stage][row][token]);
  // small maps are roots; squared, they leave more of the photo to see
  const values = map(view, p, stage, row, token).map((v) => Math.round((v * v) / 255));
  const name = data.stages[stage];
  const who = `class token of ${data.classes[token]}, ${data.rows[row]}`;
  const title = `${p.name}, ${name}: attention of the ${who}`;
  drawOverlay(panel.canvas, p.image, values, p.grid);
  panel.canvas.setAttribute("aria-label", title);
  if (stage === data.stages.length - 1) parts.words.show(values, p.grid, title);
  panel.bar.hidden = !p.own;
  const far = `${away} elsewhere than the average class token`;
  if (!p.own) {
    panel.text.textContent = far;
    return `${name} ${away}`;
  }
  const own = p.own[stage][row][token];
  const others = p.others[stage][row][token];
  const ground = 1000 - own - others;
  [own, others, ground].forEach((share, i) => {
    panel.shares[i].style.width = `${share / 10}%`;
  });
  const mine = p.tags[token] ? `${percent(own)} on ${data.classes[token]}, ` : "";
  const rest = p.tags[token] ? "other objects" : "objects";
  const other = `${percent(others)} on ${rest}`;
  panel.text.textContent = `${mine}${other}, ${percent(ground)} on the ground; ${far}`;
  return `${name} ${percent(p.tags[token] ? own : others)}`;
}

function drawTable(view) {
  const { model, data, cells, parts } = view;
  const { p, token, row, stage } = now(view);
  if (view.laidOut !== p) arrange(view, p);
  const wanted = [view.photos.indexOf(p), stage, model.get("apart")].join();
  cells.forEach((line, k) => {
    parts.titles[k].classList.toggle("wt-tagged", p.tags[k] === 1);
    line.forEach(({ canvas, button }, n) => {
      const chosen = k === token && n === row;
      button.setAttribute("aria-pressed", chosen);
      button.setAttribute("tabindex", chosen ? "0" : "-1");
      if (view.painted === wanted) return;
      drawMap(canvas, map(view, p, stage, n, k), p.grid);
      const there = p.tags[k] ? ", in the picture" : "";
      button.title = `${data.classes[k]}${there}, ${data.rows[n]}`;
      button.setAttribute("aria-label", button.title);
    });
  });
  view.painted = wanted;
}

function arrange(view, p) {
  const { grid, heads, titles } = view.parts;
  const focused = grid.getRootNode().activeElement;
  const lines = order(view, p).flatMap((k) => [
    titles[k],
    ...view.cells[k].map((c) => c.button),
  ]);
  grid.replaceChildren(make("span"), ...heads, ...lines);
  if (grid.contains(focused)) focused.focus();
  view.laidOut = p;
}

export default { render };
