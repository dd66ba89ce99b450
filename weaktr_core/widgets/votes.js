// Votes: each patch votes for or against a class; added up, the votes are the logit.

import {
  ARROWS,
  choice,
  connect,
  drawPixels,
  fade,
  followPage,
  frame,
  loadImage,
  make,
  onDrag,
  patchAt,
  range,
  STYLE,
  setSize,
  strongest,
  svg,
} from "./shared.js";

const TRAITS = ["photo", "shown", "patch", "counted", "order"];
const FOR = [230, 120, 0];
const AGAINST = [0, 90, 200];
const ORDERS = [
  ["strongest", "the strongest vote for it first"],
  ["reading", "row by row"],
];
const BOX = { width: 340, height: 190, left: 44, right: 10, top: 10, bottom: 24 };

async function render({ model, el }) {
  const data = model.get("data");
  const view = { model, data, photos: await Promise.all(data.photos.map(open)) };
  Object.assign(
    view,
    connect(model, TRAITS, () => draw(view)),
  );
  view.parts = { ...pictures(view), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("votes", root, view);
  return () => {
    leave();
    view.stop();
  };
}

async function open(p) {
  const count = p.grid[0] * p.grid[1];
  const all = Array.from({ length: count }, (_, i) => i);
  return { ...p, count, all, image: await loadImage(p.jpeg) };
}

// ---- what is chosen

function now(view) {
  const { at, data, model, photos } = view;
  const p = photos[at("photo", photos.length)];
  const shown = at("shown", data.classes.length);
  const reading = model.get("order") === "reading";
  return {
    p,
    shown,
    votes: p.votes[shown],
    patch: at("patch", p.count),
    counted: at("counted", p.count + 1),
    order: reading ? ORDERS[1][0] : ORDERS[0][0],
    queue: queueOf(p, shown, reading),
  };
}

/** Patches in the order in which they are counted. */
function queueOf(p, shown, reading) {
  const votes = p.votes[shown];
  return reading ? p.all : [...p.all].sort((a, b) => votes[b] - votes[a]);
}

/** Share of the logit that some patches make. */
const share = (p, votes, patches) =>
  patches.reduce((sum, i) => sum + votes[i], 0) / p.count;

const signed = (v, digits = 2) => `${v < 0 ? "−" : "+"}${Math.abs(v).toFixed(digits)}`;
const place = (p, i) =>
  `row ${Math.floor(i / p.grid[1]) + 1}, column ${(i % p.grid[1]) + 1}`;

// ---- choosing a patch

function pick(view, event) {
  const { p, patch } = now(view);
  const [y, x] = patchAt(event, view.parts.big, p.grid).map((v, axis) =>
    Math.min(p.grid[axis] - 1, Math.max(0, Math.floor(v))),
  );
  const wanted = y * p.grid[1] + x;
  if (wanted !== patch) view.set({ patch: wanted });
}

function step(view, event) {
  if (!(event.key in ARROWS)) return;
  event.preventDefault();
  const { p, patch } = now(view);
  const [y, x] = [Math.floor(patch / p.grid[1]), patch % p.grid[1]];
  const [down, across] = [y + ARROWS[event.key][0], x + ARROWS[event.key][1]];
  const there = down >= 0 && down < p.grid[0] && across >= 0 && across < p.grid[1];
  if (there) view.set({ patch: down * p.grid[1] + across });
}

// ---- what the page consists of

function pictures(view) {
  const big = make("canvas", {
    tabindex: "0",
    role: "application",
    onkeydown: (event) => step(view, event),
  });
  onDrag(big, (event) => pick(view, event));
  return {
    big,
    sum: svg("svg", { role: "img", viewBox: `0 0 ${BOX.width} ${BOX.height}` }),
    table: make("table", { class: "wt-ballot" }),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    words: strongest(),
  };
}

function fields({ data, photos, set }) {
  const most = Math.max(...photos.map((p) => p.count));
  return {
    photo: choice(
      "Picture",
      photos.map((p, i) => [i, p.name]),
      0,
      (v) => set({ photo: Number(v) }),
    ),
    shown: choice(
      "Class",
      data.classes.map((name, i) => [i, name]),
      0,
      (v) => set({ shown: Number(v) }),
    ),
    order: choice("Count", ORDERS, ORDERS[0][0], (v) => set({ order: v })),
    counted: range("Votes counted", { min: 0, max: most, step: 1 }, (v) =>
      set({ counted: v }),
    ),
  };
}

function layout(view) {
  const { parts, photos } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  return make(
    "div",
    { class: "wt wt-votes" },
    make("style", {}, STYLE + VOTES_STYLE),
    bar(photos.length < 2 ? "" : parts.photo, parts.shown, parts.order, view.undoField),
    bar(parts.counted),
    make("p", { class: "wt-note" }, HOW),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, parts.big),
      make("div", { class: "wt-side" }, parts.sum, parts.table),
    ),
    parts.say,
    parts.words,
  );
}

const HOW =
  "Each patch votes for a class (orange) or against it (blue); the logit is the mean of " +
  "all votes. Move the slider to count them one by one; click a patch, or walk with the " +
  "arrow keys, to see its own votes.";

const VOTES_STYLE = `
.wt-votes .wt-main { margin-top: 10px; }
.wt-votes .wt-side { flex: 1 1 280px; min-width: 0; }
.wt-votes svg { width: 100%; height: auto; display: block; max-width: 520px; }
.wt-votes .wt-range input { width: min(420px, 56vw); }
.wt-votes .wt-value { min-width: 6em; }
.wt.wt-votes .wt-ballot { width: 100%; max-width: 520px; }
.wt.wt-votes .wt-ballot th { text-align: left; font-weight: 400; }
.wt.wt-votes .wt-ballot thead th:not(:first-child) { text-align: right; }
.wt.wt-votes .wt-ballot [aria-current] { background: var(--wt-hover); font-weight: 600; }
.wt.wt-votes .wt-ballot .wt-tagged { font-weight: 700; }
@container (max-width: 620px) { .wt.wt-votes .wt-ballot th, .wt.wt-votes .wt-ballot td {
  padding: 2px 4px; } }
`;

// ---- drawing

function draw(view) {
  const { parts, photos } = view;
  const chosen = now(view);
  const { p, shown, votes, patch, counted, queue, order } = chosen;
  parts.photo.show(photos.indexOf(p));
  parts.shown.show(shown);
  parts.order.show(order);
  parts.counted.show(counted, `${counted} of ${p.count}`);
  const heard = queue.slice(0, counted);
  drawBig(view, chosen, new Set(heard));
  drawSum(view, chosen);
  drawBallot(view, chosen, heard);
  const name = view.data.classes[shown];
  parts.words.show(
    votes.map((v) => Math.max(v, 0)),
    p.grid,
    `Votes for ${name}`,
  );
  const all = share(p, votes, queue);
  const sure = Math.round(100 / (1 + Math.exp(-all)));
  const text =
    `${p.name}, ${name}: ${counted} of ${p.count} votes make ` +
    `${signed(share(p, votes, heard))} of a logit of ${signed(all)} (probability ${sure} %). ` +
    `The patch in ${place(p, patch)} votes ${signed(votes[patch], 1)}; its part of the ` +
    `logit is ${signed(votes[patch] / p.count, 3)}.`;
  parts.say.textContent = text;
  parts.big.setAttribute("aria-label", `${text} Arrow keys choose another patch.`);
}

/** Votes that are counted over the photo, the rest of it dimmed. */
function drawBig({ parts, data }, { p, votes, patch }, heard) {
  const below = fade(p.image);
  const { big } = parts;
  setSize(big, below.width, below.height);
  big.classList.add("wt-over");
  const map = make("canvas");
  drawPixels(map, p.grid, (i) => {
    if (!heard.has(i)) return [20, 20, 20, 150];
    const strength = Math.min(1, Math.abs(votes[i]) / data.top);
    return [...(votes[i] < 0 ? AGAINST : FOR), Math.round(230 * strength)];
  });
  const context = big.getContext("2d");
  context.drawImage(below, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(map, 0, 0, big.width, big.height);
  frame(big, p.grid, patch);
}

/** The logit as it grows, vote by vote. */
function drawSum({ parts, data }, { p, shown, votes, counted, queue }) {
  const name = data.classes[shown];
  let sum = 0;
  const path = [
    0,
    ...queue.map((i) => {
      sum += votes[i] / p.count;
      return sum;
    }),
  ];
  const [low, high] = [Math.min(0, ...path), Math.max(0.1, ...path)];
  const wide = BOX.width - BOX.left - BOX.right;
  const tall = BOX.height - BOX.top - BOX.bottom;
  const x = (n) => BOX.left + (n / p.count) * wide;
  const y = (v) => BOX.height - BOX.bottom - ((v - low) / (high - low)) * tall;
  const points = path.map((v, n) => `${x(n).toFixed(1)},${y(v).toFixed(1)}`);
  const line = (end, width, opacity) =>
    svg("polyline", {
      points: points.slice(0, end).join(" "),
      fill: "none",
      stroke: "currentColor",
      "stroke-width": width,
      opacity,
    });
  const text = (px, py, words, anchor) =>
    svg(
      "text",
      { x: px, y: py, "text-anchor": anchor, "font-size": 12, fill: "currentColor" },
      words,
    );
  const zero = { x1: x(0), x2: x(p.count), y1: y(0), y2: y(0), stroke: "currentColor" };
  parts.sum.replaceChildren(
    svg("line", { ...zero, opacity: 0.5 }),
    line(points.length, 1, 0.4),
    line(counted + 1, 3, 1),
    svg("circle", { cx: x(counted), cy: y(path[counted]), r: 6, fill: "currentColor" }),
    text(BOX.left - 6, y(high) + 4, high.toFixed(1), "end"),
    text(BOX.left - 6, y(0) + 4, "0", "end"),
    text(x(p.count), BOX.height - 6, `${p.count} votes`, "end"),
    text(x(p.count), y(0) - 8, `logit of ${name}`, "end"),
  );
  parts.sum.setAttribute("aria-label", `Logit of ${name} so far: ${signed(path[counted])}`);
}

/** Every class: what this patch votes, what is counted so far, and the logit. */
function drawBallot({ parts, data }, { p, shown, patch }, heard) {
  const titles = ["class", "this patch", "counted", "logit"];
  const head = titles.map((name) => make("th", { scope: "col" }, name));
  const lines = data.classes.map((name, k) => {
    const votes = p.votes[k];
    const numbers = [votes[patch], share(p, votes, heard), share(p, votes, p.all)];
    const kind = p.tags[k] ? "wt-tagged" : null;
    const th = make(
      "th",
      { scope: "row", class: kind },
      p.tags[k] ? `${name}, tagged` : name,
    );
    return make(
      "tr",
      { "aria-current": k === shown ? "true" : null },
      th,
      ...numbers.map((v) => make("td", {}, signed(v))),
    );
  });
  parts.table.replaceChildren(
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...lines),
  );
}

export default { render };
