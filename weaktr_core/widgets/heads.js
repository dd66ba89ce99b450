// Head explorer: a thumbnail per head, one head large, from any query token.

import {
  ARROWS,
  button,
  choice,
  connect,
  drawMap,
  drawOverlay,
  drawThumb,
  followLinks,
  glide,
  headName,
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

const ORDERS = {
  layer: ["layer", "Layers from the first at the top, heads from left to right."],
  entropy: ["entropy", "Most spread out first, most concentrated last."],
  distance: ["distance", "Farthest looking first, nearest last."],
  agreement: ["agreement with the mean", "Most like the mean of all first, loners last."],
};
const NUMBERS = [
  [
    "patches",
    "how many the head effectively looks at: 2 to the entropy of its map in bits. " +
      "Sorting by entropy uses it.",
  ],
  [
    "distance",
    "how far away, in patches, what it looks at is from the patch that asks, or, " +
      "for a class token, from the centre of the map.",
  ],
  ["agreement", "correlation of its map with the mean of all; 1 is alike, 0 unrelated."],
];

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
  const unlink = followLinks("heads", root, view);
  return () => {
    unlink();
    view.stop();
  };
}

async function open(p) {
  return { ...p, image: await loadImage(p.jpeg), rows: await unpack(p.attention) };
}

// ---- what is chosen

const photoOf = (view) => view.photos[view.at("photo", view.photos.length)];
const chosen = (view) =>
  view.cells[view.at("layer", view.layers) * view.heads + view.at("head", view.heads)];

/** Index of the patch that asks, null for a token. */
function asker(view, p) {
  const token = p.queries[view.at("query", p.queries.length)];
  return token < 0 ? null : token;
}

function queryName(view, p) {
  const index = asker(view, p);
  if (index === null) return p.prefix[-1 - p.queries[view.at("query", p.queries.length)]];
  const [y, x] = [Math.floor(index / p.grid[1]), index % p.grid[1]];
  return `patch row ${y + 1}, column ${x + 1}`;
}

/** Attention of a head, from the token that asks. */
function row(view, p, { index }) {
  const count = p.grid[0] * p.grid[1];
  const query = index * p.attention.shape[2] + view.at("query", p.queries.length);
  return p.rows.subarray(query * count, (query + 1) * count);
}

/** Mean of all heads' maps, each scaled by itself, as it is drawn -> 0 .. 255. */
function meanOf(view, p) {
  const sum = new Float64Array(p.grid[0] * p.grid[1]);
  for (const cell of view.cells)
    row(view, p, cell).forEach((v, i) => {
      sum[i] += v;
    });
  const most = sum.reduce((a, b) => Math.max(a, b), 1);
  return Uint8Array.from(sum, (v) => Math.round((255 * v) / most));
}

const lift = (view, values) =>
  view.lifted ? values.map((v) => Math.round(Math.sqrt(v * 255))) : values;

/** Of one map, as the table and the sorting show them. */
function statistics(values, mean, columns, from) {
  const total = values.reduce((a, b) => a + b, 0);
  if (!total) return { entropy: 0, distance: 0, agreement: 0 };
  const average = mean.reduce((a, b) => a + b, 0) / mean.length;
  const even = total / values.length;
  let [bits, y, x, ab, aa, bb] = [0, 0, 0, 0, 0, 0];
  values.forEach((v, i) => {
    const share = v / total;
    if (v) bits -= share * Math.log2(share);
    y += share * Math.floor(i / columns);
    x += share * (i % columns);
    const [a, b] = [v - even, mean[i] - average];
    ab += a * b;
    aa += a * a;
    bb += b * b;
  });
  // a class token sits nowhere: how far from the centre of what it looks at
  if (from !== null) [y, x] = [Math.floor(from / columns), from % columns];
  const distance = values.reduce(
    (sum, v, i) =>
      sum + (v / total) * Math.hypot(Math.floor(i / columns) - y, (i % columns) - x),
    0,
  );
  return { entropy: bits, distance, agreement: ab / Math.sqrt(aa * bb || 1) };
}

// ---- the photo: ask from another token

function ask(view, query) {
  if (query >= 0 && query !== view.model.get("query")) view.set({ query });
}

/** Index of the kept patch with the least cost(row, column), -1 if none is kept. */
function cheapest(p, cost) {
  const costs = p.queries.map((t) =>
    t < 0 ? Number.POSITIVE_INFINITY : cost(Math.floor(t / p.grid[1]), t % p.grid[1]),
  );
  const least = Math.min(...costs);
  return Number.isFinite(least) ? costs.indexOf(least) : -1;
}

const middle = (p) =>
  cheapest(p, (y, x) => Math.hypot(y - (p.grid[0] - 1) / 2, x - (p.grid[1] - 1) / 2));

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

// ---- the grid: choose a head, compare with another

function cellOf(view, index) {
  const { heads } = view;
  const cell = { index, canvas: make("canvas"), name: headName(index, heads) };
  const state = { layer: Math.floor(index / heads), head: index % heads };
  const short = `${state.layer + 1}.${state.head + 1}`;
  cell.button = make(
    "button",
    {
      type: "button",
      title: cell.name,
      "aria-label": cell.name,
      onclick: () => view.set(state),
      onpointerenter: (event) => event.pointerType === "mouse" && compare(view, cell),
      onpointerleave: () => compare(view, null),
      onfocus: () => cell.button.matches(":focus-visible") && compare(view, cell),
      onblur: () => compare(view, null),
      onkeydown: (event) => walk(view, event, cell),
    },
    cell.canvas,
    make("span", { "aria-hidden": "true" }, short),
  );
  return cell;
}

function compare(view, cell) {
  view.hovered = cell;
  drawVersus(view, photoOf(view));
}

/** Keys walk through the grid as it is sorted. */
function walk(view, event, cell) {
  const shown = [...view.parts.grid.querySelectorAll("button")];
  const i = shown.indexOf(cell.button);
  const next = {
    ArrowLeft: i - 1,
    ArrowRight: i + 1,
    ArrowUp: i - view.heads,
    ArrowDown: i + view.heads,
    Home: 0,
    End: shown.length - 1,
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  shown[next]?.focus();
}

function sorted(view, p) {
  if (view.order === "layer") return view.cells;
  const mean = meanOf(view, p);
  const of = (cell) =>
    statistics(row(view, p, cell), mean, p.grid[1], asker(view, p))[view.order];
  const score = new Map(view.cells.map((cell) => [cell, of(cell)]));
  return [...view.cells].sort((a, b) => score.get(b) - score.get(a));
}

const axis = (text, kind = "") =>
  make("span", { class: `wt-axis ${kind}`, "aria-hidden": "true" }, text);

function arrange(view, p) {
  const { grid, orderText, top } = view.parts;
  const wanted = sorted(view, p).map((cell) => cell.button);
  const shown = [...grid.querySelectorAll("button")];
  if (wanted.every((press, i) => press === shown[i])) return;
  const focused = grid.getRootNode().activeElement;
  const rows = Array.from({ length: view.layers }, (_, i) => [
    axis(i + 1),
    ...wanted.slice(i * view.heads, (i + 1) * view.heads),
  ]);
  grid.replaceChildren(orderText, ...top, ...rows.flat());
  if (grid.contains(focused)) focused.focus({ preventScroll: true });
}

function sortBy(view, value) {
  view.order = value;
  const { grid, orderText } = view.parts;
  const moving = view.cells.map((cell) => cell.button);
  glide(moving, () => {
    grid.classList.toggle("wt-sorted", value !== "layer");
    const columns = `repeat(${view.heads}, minmax(0, 1fr))`;
    grid.style.gridTemplateColumns = (value === "layer" ? "18px " : "") + columns;
    orderText.textContent = ORDERS[value][1];
    arrange(view, photoOf(view));
  });
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

/** The chosen head beside the one under the pointer, the kept one, or the mean of all. */
function drawVersus(view, p) {
  const { side, table, keep } = view.parts;
  const current = chosen(view);
  const mean = meanOf(view, p);
  // a head is not compared with itself
  const cell = [view.hovered, view.kept].find((one) => one && one !== current) ?? null;
  const other = cell ? row(view, p, cell) : mean;
  const who = cell ? cell.name : "mean of all";
  drawMap(side, lift(view, other), p.grid);
  side.classList.toggle("wt-kept", cell !== null && cell === view.kept);
  side.setAttribute("aria-label", `to compare: ${who}, seen from ${queryName(view, p)}`);
  const both = [row(view, p, current), other].map((v) =>
    statistics(v, mean, p.grid[1], asker(view, p)),
  );
  table.replaceChildren(...versus([current.name, who], both));
  keep.textContent = view.kept ? "Compare with the mean" : "Keep to compare";
  keep.setAttribute("aria-pressed", view.kept !== null);
}

/** Head and body of the table of numbers. */
function versus(names, both) {
  // always two lines: what lies below must not move while the pointer is on its way there
  const title = (name) =>
    make(
      "th",
      { scope: "col" },
      ...name.split(/(?<=, |mean )/).map((part) => make("span", {}, part)),
    );
  const line = (name, show) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      ...both.map((s) => make("td", {}, show(s))),
    );
  return [
    make("thead", {}, make("tr", {}, make("td"), ...names.map(title))),
    make(
      "tbody",
      {},
      line("patches", (s) => (2 ** s.entropy).toFixed(0)),
      line("distance", (s) => s.distance.toFixed(1)),
      line("agreement", (s) => s.agreement.toFixed(2)),
    ),
  ];
}

// ---- one picture of what is seen, to keep or to send

function download(view) {
  const href = sheetOf(view, photoOf(view)).toDataURL();
  make("a", { download: "attention-heads.png", href }).click();
}

function sheetOf(view, p) {
  const { big, grid, say } = view.parts;
  const sheet = make("canvas");
  const context = sheet.getContext("2d");
  const [edge, gap, wide] = [24, 6, 560];
  const ratio = p.grid[0] / p.grid[1];
  const [cellWide, cellHigh] = [84, 84 * ratio];
  const high = Math.max(wide * ratio, view.layers * (cellHigh + gap) - gap);
  sheet.width = wide + view.heads * (cellWide + gap) - gap + 3 * edge;
  sheet.height = Math.round(high) + 2 * edge + 40;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(big, edge, edge, wide, wide * ratio);
  [...grid.querySelectorAll("button")].forEach((press, i) => {
    const x = wide + 2 * edge + (i % view.heads) * (cellWide + gap);
    const y = edge + Math.floor(i / view.heads) * (cellHigh + gap);
    context.fillStyle = "#0b62c4";
    if (press.getAttribute("aria-pressed") === "true")
      context.fillRect(x - 3, y - 3, cellWide + 6, cellHigh + 6);
    context.drawImage(press.querySelector("canvas"), x, y, cellWide, cellHigh);
  });
  context.fillStyle = "#1a1a1a";
  context.font = "18px system-ui, sans-serif";
  context.fillText(say.textContent, edge, sheet.height - edge, sheet.width - 2 * edge);
  return sheet;
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
