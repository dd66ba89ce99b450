// A small map for each head: chosen, compared, sorted.

import { asker, meanOf, photoOf, row } from "./heads_state.js";
import { drawVersus, statistics } from "./heads_versus.js";
import { glide, headName, make } from "./shared.js";

export const ORDERS = {
  layer: ["layer", "Layers from the first at the top, heads from left to right."],
  entropy: ["entropy", "Most spread out first, most concentrated last."],
  distance: ["distance", "Farthest looking first, nearest last."],
  agreement: ["agreement with the mean", "Most like the mean of all first, loners last."],
};
export function cellOf(view, index) {
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

export const axis = (text, kind = "") =>
  make("span", { class: `wt-axis ${kind}`, "aria-hidden": "true" }, text);

export function arrange(view, p) {
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

export function sortBy(view, value) {
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
