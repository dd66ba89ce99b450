// The heads of the mixer: pressed, dragged over, changed by keys.

import { draw } from "./fusion_drawing.js";
import { button, headName, make } from "./shared.js";

export const limit = (view, v) =>
  Math.round(100 * Math.min(view.data.top, Math.max(0, v))) / 100;

export function paint(view, changes, quiet) {
  const weights = view.weightsNow();
  for (const [i, value] of changes) {
    weights[i] = limit(view, value);
    view.muted.delete(i);
  }
  view.set({ weights, solo: -1 }, quiet);
}

export function mute(view, i) {
  const weights = view.weightsNow();
  const before = view.muted.get(i);
  if (before === undefined) view.muted.set(i, weights[i]);
  else view.muted.delete(i);
  weights[i] = before ?? 0;
  view.set({ weights, solo: -1 });
}

export const solo = (view, i) => view.set({ solo: view.soloNow() === i ? -1 : i });

export function load(view, weights) {
  view.muted.clear();
  view.set({ weights: [...weights], solo: -1 });
}

export function cellOf(view, i) {
  const cell = { canvas: make("canvas"), number: make("span") };
  cell.button = make(
    "button",
    {
      type: "button",
      onkeydown: (event) => press(view, event, i),
      onfocus: () => turnTo(view, i),
      onclick: (event) => event.detail === 0 && paint(view, [[i, view.brush]]),
    },
    cell.canvas,
    cell.number,
  );
  return cell;
}

/** The head that keys, buttons and the slider change. */
function turnTo(view, i) {
  view.current = i;
  view.cells.forEach((cell, n) =>
    cell.button.setAttribute("tabindex", n === i ? "0" : "-1"),
  );
  const weight = view.weightsNow()[i];
  view.parts.own.show(weight, weight.toFixed(1), `Weight of ${headName(i, view.heads)}`);
}

function cellAt(view, event) {
  const under = document.elementFromPoint(event.clientX, event.clientY);
  // inside a shadow root the page only sees its host
  const inner = under?.shadowRoot?.elementFromPoint(event.clientX, event.clientY) ?? under;
  const found = inner?.closest("button");
  return view.cells.findIndex((cell) => cell.button === found);
}

/** A mouse paints at once; a finger may want to scroll: it paints sideways or by a tap. */
function begin(view, event) {
  const i = cellAt(view, event);
  if (i < 0 || event.button !== 0) return;
  const finger = event.pointerType === "touch";
  const from = view.weightsNow();
  view.gesture = { i, finger, from, x: event.clientX, painted: false };
  if (finger) return;
  event.preventDefault();
  view.cells[i].button.focus({ preventScroll: true });
  event.currentTarget.setPointerCapture(event.pointerId);
  stroke(view, i);
}

function stroke(view, i) {
  view.gesture.painted = true;
  if (view.weightsNow()[i] === limit(view, view.brush)) return;
  turnTo(view, i);
  paint(view, [[i, view.brush]], true);
}

function move(view, event) {
  const { gesture } = view;
  if (!gesture) return;
  if (!gesture.painted) {
    if (Math.abs(event.clientX - gesture.x) < 10) return;
    stroke(view, gesture.i);
  }
  const i = cellAt(view, event);
  if (i >= 0) stroke(view, i);
}

function end(view, event) {
  const { gesture } = view;
  if (!gesture) return;
  if (event.type === "pointercancel") {
    view.gesture = null;
    view.write({ weights: gesture.from }); // it was a scroll after all
  } else {
    if (!gesture.painted && cellAt(view, event) === gesture.i) stroke(view, gesture.i);
    view.gesture = null;
  }
  draw(view);
}

function press(view, event, i) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { heads, total } = view;
  const value = view.weightsNow()[i];
  const steps = { "+": 0.1, "=": 0.1, PageUp: 0.1, "-": -0.1, PageDown: -0.1 };
  const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -heads, ArrowDown: heads };
  if (event.key in steps) paint(view, [[i, value + steps[event.key]]]);
  else if (event.key === "Home") paint(view, [[i, 0]]);
  else if (event.key === "End") paint(view, [[i, view.data.top]]);
  else if (event.key === "m") mute(view, i);
  else if (event.key === "s") solo(view, i);
  else if (event.key in moves) {
    const to = i + moves[event.key];
    const wraps =
      Math.abs(moves[event.key]) === 1 && Math.floor(to / heads) !== Math.floor(i / heads);
    if (to >= 0 && to < total && !wraps) view.cells[to].button.focus();
  } else return;
  event.preventDefault();
}

export function faders(view) {
  const { layers, heads, cells } = view;
  const element = make("div", {
    class: "wt-faders",
    role: "group",
    "aria-label": "weights of all heads, layers down, heads across",
    onpointerdown: (event) => begin(view, event),
    onpointermove: (event) => move(view, event),
    onpointerup: (event) => end(view, event),
    onpointercancel: (event) => end(view, event),
  });
  element.style.gridTemplateColumns = `auto repeat(${heads}, minmax(0, 1fr))`;
  for (let layer = 0; layer < layers; layer++) {
    const own = Array.from({ length: heads }, (_, h) => layer * heads + h);
    const name = `paint all of layer ${layer + 1}`;
    const all = button(String(layer + 1), () =>
      paint(
        view,
        own.map((i) => [i, view.brush]),
      ),
    );
    for (const [key, value] of [
      ["class", "wt-layer"],
      ["title", name],
      ["aria-label", name],
    ])
      all.setAttribute(key, value);
    element.append(all, ...own.map((i) => cells[i].button));
  }
  return element;
}
