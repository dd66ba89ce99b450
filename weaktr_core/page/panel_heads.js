// All heads, as seen from one token.

import {
  ARROWS,
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

/** Index of the patch that the pointer is on. */
export function pickPatch(event, canvas, [h, w]) {
  const [y, x] = patchAt(event, canvas, [h, w]);
  const within = (v, end) => Math.min(end - 1, Math.max(0, Math.floor(v)));
  return within(y, h) * w + within(x, w);
}

/** Where an arrow key leads from a patch; null for other keys. */
export function stepPatch(event, from, [h, w]) {
  const move = ARROWS[event.key];
  if (!move) return null;
  event.preventDefault();
  if (from === undefined) return Math.floor(h / 2) * w + Math.floor(w / 2);
  const within = (v, end) => Math.min(end - 1, Math.max(0, v));
  const y = within(Math.floor(from / w) + move[0], h);
  return y * w + within((from % w) + move[1], w);
}

export function headsPanel(view) {
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
  let peeked = null;
  let lifted = false;
  const grid = headsGrid(
    view.about,
    (head) => view.set({ head }),
    (i) => {
      peeked = i;
      drawBig();
    },
  );
  const tokens = make("span");
  const words = make("p", { class: "wt-note" });
  const table = strongest();
  const lift = (row) => (lifted ? row.map((v) => Math.sqrt(Math.max(v, 0))) : row);

  function drawBig() {
    const photo = view.now();
    const head = peeked ?? view.head;
    const row = view.rowOf(head);
    drawOverlay(
      big,
      photo.shown,
      toBytes(lift(row)),
      photo.grid,
      view.askerNow().patch ?? null,
    );
    fit(big, photo);
    const name = `${headName(head, view.about.heads)}, seen from ${view.askerName()}`;
    words.textContent = `${photo.name}: ${name}.`;
    big.setAttribute(
      "aria-label",
      `${words.textContent} Arrow keys move the patch that asks.`,
    );
    if (peeked === null) table.show(row, photo.grid, name);
  }

  let offered = null;
  function drawTokens() {
    const photo = view.now();
    if (offered !== photo) {
      const options = photo.classes.map((k) => [-1 - k, `class token: ${view.names[k]}`]);
      const middle =
        Math.floor(photo.grid[0] / 2) * photo.grid[1] + Math.floor(photo.grid[1] / 2);
      const field = choice(
        "Seen from",
        [...options, ["patch", "a patch (click the photo)"]],
        "",
        (v) => ask(v === "patch" ? middle : Number(v)),
      );
      tokens.replaceChildren(field);
    }
    offered = photo;
    const { patch, k } = view.askerNow();
    tokens.firstChild.show(patch === undefined ? -1 - k : "patch");
  }

  function draw() {
    const photo = view.now();
    drawTokens();
    const { patch, k } = view.askerNow();
    grid.show([photo, patch, k, lifted], (i) => lift(view.rowOf(i)), photo.grid, view.head);
    drawBig();
  }
  const element = make(
    "div",
    {},
    make(
      "div",
      { class: "wt-bar" },
      tokens,
      tick("Lift faint values", (checked) => {
        lifted = checked;
        draw();
      }),
    ),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, big, words),
      grid.element,
    ),
    make("p", { class: "wt-note" }, heatLegend("no attention", "most of each map")),
    make(
      "p",
      { class: "wt-note" },
      "Click the photo, or use the arrow keys on it, to ask from another patch. Rest the " +
        "pointer on a small map to see it large; click to keep it.",
    ),
    table,
  );
  return { name: "heads", title: "All heads", element, draw };
}
