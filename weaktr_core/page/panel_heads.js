// All heads, as seen from one token.

import {
  ARROWS,
  button,
  choice,
  drawOverlay,
  headName,
  heatLegend,
  make,
  onDrag,
  patchAt,
  strongest,
  tick,
  toBytes,
} from "../widgets/shared.js";
import { headsGrid } from "./heads_grid.js";
import { fit } from "./masks.js";
import { play } from "./sound.js";

/** Index of the patch that the pointer is on. */
export function pickPatch(event, canvas, [h, w]) {
  const [y, x] = patchAt(event, canvas, [h, w]);
  const within = (v, end) => Math.min(end - 1, Math.max(0, Math.floor(v)));
  return within(y, h) * w + within(x, w);
}

/** The patch in the middle. */
export const middleOf = ([h, w]) => Math.floor(h / 2) * w + Math.floor(w / 2);

/** Where an arrow key leads from a patch; null for other keys. */
export function stepPatch(event, from, [h, w]) {
  const move = ARROWS[event.key];
  if (!move) return null;
  event.preventDefault();
  if (from === undefined) return middleOf([h, w]);
  const within = (v, end) => Math.min(end - 1, Math.max(0, v));
  const y = within(Math.floor(from / w) + move[0], h);
  return y * w + within((from % w) + move[1], w);
}

/** The large map, on the photo that is asked. */
function bigMap(view) {
  const ask = (token) => view.set({ token });
  const big = make("canvas", {
    tabindex: "0",
    role: "application",
    onkeydown: (event) => {
      const patch = stepPatch(event, view.askerNow().patch, view.now().grid);
      if (patch !== null) ask(patch);
    },
  });
  onDrag(big, (event) => ask(pickPatch(event, big, view.now().grid)));
  return big;
}

function drawBig(view, { big, words, table, now }) {
  const photo = view.now();
  const head = now.peeked ?? view.head;
  const row = view.rowOf(head);
  const marked = view.askerNow().patch ?? null;
  drawOverlay(big, photo.shown, toBytes(now.lift(row)), photo.grid, marked);
  fit(big, photo);
  const name = `${headName(head, view.about.heads)}, seen from ${view.askerName()}`;
  words.textContent = `${photo.name}: ${name}.`;
  const keys = "Arrow keys move the patch that asks.";
  big.setAttribute("aria-label", `${words.textContent} ${keys}`);
  if (now.peeked === null) table.show(row, photo.grid, name);
}

/** Which token asks; its list is another one for each photo. */
function askers(view) {
  const element = make("span");
  let offered = null;
  const ask = (v) =>
    view.set({ token: v === "patch" ? middleOf(view.now().grid) : Number(v) });
  function draw() {
    const photo = view.now();
    if (offered !== photo) {
      const tokens = photo.classes.map((k) => [-1 - k, `class token: ${view.names[k]}`]);
      const options = [...tokens, ["patch", "a patch (click the photo)"]];
      element.replaceChildren(choice("Seen from", options, "", ask));
    }
    offered = photo;
    const { patch, k } = view.askerNow();
    element.firstChild.show(patch === undefined ? -1 - k : "patch");
  }
  return { element, draw };
}

function partsOf(view) {
  const now = { peeked: null, lifted: false };
  now.lift = (row) => (now.lifted ? row.map((v) => Math.sqrt(Math.max(v, 0))) : row);
  const parts = {
    now,
    big: bigMap(view),
    words: make("p", { class: "wt-note" }),
    table: strongest(),
    tokens: askers(view),
  };
  const peek = (i) => {
    now.peeked = i;
    drawBig(view, parts);
  };
  parts.grid = headsGrid(view.about, (head) => view.set({ head }), peek);
  return parts;
}

export function headsPanel(view) {
  const parts = partsOf(view);
  const { now, big, words, table, tokens, grid } = parts;
  function draw() {
    const photo = view.now();
    tokens.draw();
    const { patch, k } = view.askerNow();
    const key = [photo, patch, k, now.lifted];
    grid.show(key, (i) => now.lift(view.rowOf(i)), photo.grid, view.head);
    drawBig(view, parts);
  }
  const lifting = tick("Lift faint values", (checked) => {
    now.lifted = checked;
    draw();
  });
  const hear = button("Hear this map", () => play(view.rowOf(view.head), view.now().grid));
  hear.title = "from left to right; higher rows are higher notes, more is louder";
  const large = make("div", { class: "wt-big wt-stay" }, big, words);
  const note = (...text) => make("p", { class: "wt-note" }, ...text);
  const element = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, tokens.element, lifting, hear),
    make("div", { class: "wt-main" }, large, grid.element),
    note(heatLegend("no attention", "most of each map")),
    note(
      "Click the photo, or use the arrow keys on it, to ask from another patch. Rest the " +
        "pointer on a small map to see it large; click to keep it. " +
        `${hear.textContent}: ${hear.title}.`,
    ),
    table,
  );
  return { name: "heads", title: "All heads", element, draw };
}
