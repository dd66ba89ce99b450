// Head explorer: a thumbnail per head, one head large, from any query token.

import { arrange, axis, cellOf, ORDERS, sortBy } from "./heads_grid.js";
import { download } from "./heads_sheet.js";
import {
  asker,
  cheapest,
  chosen,
  lift,
  middle,
  photoOf,
  queryName,
  row,
} from "./heads_state.js";
import { drawVersus, NUMBERS } from "./heads_versus.js";
import {
  ARROWS,
  button,
  choice,
  connect,
  drawMap,
  drawOverlay,
  drawThumb,
  followPage,
  heatLegend,
  loadImage,
  make,
  onDrag,
  patchAt,
  STYLE,
  strongest,
  tick,
  unpack,
} from "./shared.js";

async function render({ model, el }) {
  const data = model.get("data");
  const [layers, heads] = data.shape;
  const view = {
    model,
    data,
    layers,
    heads,
    photos: await Promise.all(data.photos.map(open)),
  };
  // cells to compare with, else the mean of all heads
  Object.assign(view, {
    order: "layer",
    lifted: false,
    behind: true,
    hovered: null,
    kept: null,
  });
  Object.assign(
    view,
    connect(model, ["photo", "query", "layer", "head"], () => draw(view)),
  );
  view.parts = { ...pictures(view), ...fields(view) };
  view.cells = Array.from({ length: layers * heads }, (_, i) => cellOf(view, i));
  const root = layout(view);
  el.replaceChildren(root);
  sortBy(view, view.order);
  draw(view);
  const leave = followPage("heads", root, view);
  return () => {
    leave();
    view.stop();
  };
}

async function open(p) {
  return { ...p, image: await loadImage(p.jpeg), rows: await unpack(p.attention) };
}

// ---- the photo: ask from another token

function ask(view, query) {
  if (query >= 0 && query !== view.model.get("query")) view.set({ query });
}

function pick(view, event) {
  const p = photoOf(view);
  const [line, column] = patchAt(event, view.parts.big, p.grid);
  ask(
    view,
    cheapest(p, (y, x) => (y + 0.5 - line) ** 2 + (x + 0.5 - column) ** 2),
  );
}

function step(view, event) {
  if (!(event.key in ARROWS)) return;
  event.preventDefault();
  const p = photoOf(view);
  const [dy, dx] = ARROWS[event.key];
  const from = asker(view, p);
  if (from === null) {
    ask(view, middle(p));
    return;
  }
  const [y0, x0] = [Math.floor(from / p.grid[1]), from % p.grid[1]];
  const next = cheapest(p, (y, x) => {
    const ahead = (y - y0) * dy + (x - x0) * dx;
    const aside = Math.abs((y - y0) * dx) + Math.abs((x - x0) * dy);
    return ahead > 0 ? ahead + 9 * aside : Number.POSITIVE_INFINITY;
  });
  ask(view, next);
}

// ---- what the page consists of

function pictures(view) {
  const big = make("canvas", {
    tabindex: "0",
    role: "application",
    onkeydown: (event) => step(view, event),
  });
  onDrag(big, (event) => pick(view, event));
  const keep = button("", () => {
    view.kept = view.kept ? null : chosen(view);
    drawVersus(view, photoOf(view));
  });
  const numbers = Array.from({ length: view.heads }, (_, k) => axis(k + 1, "wt-top"));
  return {
    big,
    keep,
    side: make("canvas", { role: "img" }),
    table: make("table"),
    words: strongest(),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    grid: make("div", { class: "wt-grid", role: "group", "aria-label": "all heads" }),
    orderText: make("p", { class: "wt-order" }),
    top: [axis(""), ...numbers],
  };
}

function fields(view) {
  const { data, photos } = view;
  const redraw = (name) => (on) => {
    view[name] = on;
    draw(view);
  };
  const photo = choice(
    "Photo",
    photos.map((p, i) => [i, p.name]),
    0,
    (v) => view.set({ photo: Number(v), query: 0 }),
  );
  const order = choice(
    "Sort heads by",
    Object.entries(ORDERS).map(([key, [name]]) => [key, name]),
    view.order,
    (v) => sortBy(view, v),
  );
  const behind = tick("photo behind", redraw("behind"));
  behind.show(true);
  return {
    photo,
    order,
    behind,
    token: make("span"),
    lifted: tick("Lift faint values", redraw("lifted")),
    findings: data.findings.map(({ name, state }) => button(name, () => view.set(state))),
    save: button("Save picture", () => download(view)),
  };
}

function layout(view) {
  const { parts, photos } = view;
  const numbers = NUMBERS.flatMap(([name, text]) => [
    make("dt", {}, name),
    make("dd", {}, text),
  ]);
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  return make(
    "div",
    { class: "wt wt-heads" },
    make("style", {}, STYLE + HEADS_STYLE),
    parts.findings.length ? bar("Worth seeing:", ...parts.findings) : "",
    bar(photos.length < 2 ? "" : parts.photo, parts.token, view.undoField),
    make("p", { class: "wt-note wt-how" }, HOW),
    make(
      "div",
      { class: "wt-main" },
      make(
        "div",
        { class: "wt-left" },
        make("div", { class: "wt-big wt-stay" }, parts.big, parts.say),
        make("div", { class: "wt-versus" }, parts.side, parts.table),
        bar(parts.keep, parts.save, heatLegend("no attention", "most of each map")),
      ),
      make(
        "div",
        { class: "wt-all" },
        bar(parts.order, parts.behind, parts.lifted),
        parts.grid,
      ),
    ),
    parts.words,
    make(
      "details",
      { class: "wt-note" },
      make("summary", {}, "What the numbers mean"),
      make("dl", {}, ...numbers),
    ),
  );
}

const HOW =
  "Click the photo, or drag over it, to ask from another patch; click a small map to see " +
  "its head large, rest the pointer on it to compare. Arrow keys work on both.";

// ---- drawing

function draw(view) {
  const p = photoOf(view);
  const cell = chosen(view);
  const { big, say, photo, words } = view.parts;
  photo.show(view.at("photo", view.photos.length));
  drawTokens(view, p);
  drawCells(view, p, cell);
  arrange(view, p);
  drawOverlay(big, p.image, lift(view, row(view, p, cell)), p.grid, asker(view, p));
  const text = `${cell.name}, seen from ${queryName(view, p)}`;
  big.setAttribute(
    "aria-label",
    `${p.name}: attention of ${text}. Arrow keys move the patch that asks.`,
  );
  const found = view.data.findings.find(({ state }) =>
    Object.entries(state).every(([name, value]) => view.model.get(name) === value),
  );
  say.textContent = `${p.name}: ${text}.${found ? ` ${found.says}` : ""}`;
  words.show(row(view, p, cell), p.grid, `${p.name}: ${text}`);
  drawVersus(view, p);
}

function drawCells(view, p, current) {
  for (const cell of view.cells) {
    const values = lift(view, row(view, p, cell));
    if (view.behind) drawThumb(cell.canvas, p.image, values, p.grid);
    else drawMap(cell.canvas, values, p.grid);
    cell.button.setAttribute("aria-pressed", cell === current);
    cell.button.setAttribute("tabindex", cell === current ? "0" : "-1");
  }
}

/** The tokens that can ask; they change with the photo. */
function drawTokens(view, p) {
  const { token } = view.parts;
  if (view.tokensOf !== p) {
    view.tokensOf = p;
    const options = p.prefix.map((name, i) => [p.queries.indexOf(-1 - i), name]);
    if (middle(p) >= 0) options.push(["patch", "a patch (click the photo)"]);
    view.tokens = choice("Seen from", options, "", (v) =>
      ask(view, v === "patch" ? middle(photoOf(view)) : Number(v)),
    );
    token.replaceChildren(view.tokens);
  }
  view.tokens.show(asker(view, p) === null ? view.at("query", p.queries.length) : "patch");
}

const HEADS_STYLE = `
.wt.wt-heads .wt-how { margin: 0 0 10px; }
.wt-heads .wt-main { display: grid; gap: 12px 16px;
  grid-template-columns: minmax(0, 1fr) minmax(0, 1.15fr); align-items: start; }
.wt-heads .wt-left { position: sticky; top: var(--wt-top, 0px); min-width: 0; }
.wt-heads .wt-left .wt-bar { margin: 10px 0 0; }
.wt-heads .wt-all { min-width: 0; }
.wt-heads .wt-big { max-width: none; }
.wt-heads .wt-grid { row-gap: 3px; }
.wt-heads .wt-say { min-height: 2.8em; }
.wt-heads .wt-grid canvas { max-height: 92px; object-fit: contain; border-radius: 2px;
  background: var(--wt-empty); }
@media (pointer: coarse) { .wt .wt-grid button { min-height: 44px; } }
.wt-heads .wt-grid button:hover { border-color: var(--wt-blue); }
.wt-heads .wt-grid button span { display: none; font-size: 10px; line-height: 1.3; }
.wt-sorted.wt-grid button span { display: block; }
.wt-axis { font-size: 11px; color: var(--wt-quiet); align-self: center; text-align: right;
  padding-right: 3px; }
.wt-axis.wt-top { text-align: center; padding: 0; }
.wt-sorted .wt-axis { display: none; }
.wt-heads .wt-order { grid-column: 1 / -1; color: var(--wt-quiet); font-size: 13px;
  margin: 0 0 3px; }
.wt-versus { display: flex; flex-wrap: wrap; gap: 8px 10px; align-items: flex-start;
  margin-top: 8px; }
.wt-versus > canvas { flex: 0 0 30%; width: 30%; min-width: 0; image-rendering: pixelated;
  border-radius: 4px; border: 2px solid var(--wt-edge); max-height: 240px;
  object-fit: contain; background: var(--wt-empty); }
.wt-versus > canvas.wt-kept { border-color: var(--wt-blue); }
.wt.wt-heads .wt-versus table { flex: 1 1 190px; }
.wt.wt-heads .wt-versus :is(th, td) { padding: 2px 0 2px 5px; vertical-align: bottom; }
.wt.wt-heads .wt-versus tbody th { font-weight: 400; text-align: left; padding-left: 0; }
.wt-heads thead span { display: block; white-space: nowrap; }
.wt-heads dl { margin: 4px 0 0; }
.wt-heads dt { font-weight: 600; }
.wt-heads dd { margin: 0 0 4px; }
@container (max-width: 620px) {
  .wt-heads .wt-main { display: flex; flex-direction: column; }
  .wt-heads .wt-left { display: contents; }
  .wt-heads .wt-all { order: 1; }
  .wt-heads .wt-versus, .wt-heads .wt-left .wt-bar { order: 2; margin: 0; }
}
`;

export default { render };
