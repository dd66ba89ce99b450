// All heads as small maps, a row a layer: chosen by click or keys, looked at by hovering.

import { drawMap, headName, make, toBytes } from "../widgets/shared.js";

/** One head: a small map that is a button, with a short note below. */
function cellOf(i, heads, { choose, peek, walk }) {
  const canvas = make("canvas");
  const note = make("span", { class: "wt-cell-note" });
  const name = headName(i, heads);
  const attributes = {
    type: "button",
    title: name,
    "aria-label": name,
    onclick: () => choose(i),
    onpointerenter: (event) => event.pointerType === "mouse" && peek(i),
    onpointerleave: () => peek(null),
    onfocus: () => press.matches(":focus-visible") && peek(i),
    onblur: () => peek(null),
    onkeydown: (event) => walk(event, i),
  };
  const press = make("button", attributes, canvas, note);
  return { canvas, note, press, name };
}

/** Where a key leads from the i-th head; undefined for other keys. */
function nextHead(key, i, heads, last) {
  return {
    ArrowLeft: i - 1,
    ArrowRight: i + 1,
    ArrowUp: i - heads,
    ArrowDown: i + heads,
    Home: 0,
    End: last,
  }[key];
}

/**
 * The grid.
 *
 * @param about layers and heads.
 * @param choose called with the index of the head that is pressed.
 * @param peek called with the one under the pointer or with the focus, then with null.
 * @returns `element` and `show(key, rowOf, grid, chosen, noteOf)`: maps are drawn again
 *   where some part of the key has changed; a note is a short text or "".
 */
export function headsGrid({ layers, heads }, choose, peek) {
  function walk(event, i) {
    const next = nextHead(event.key, i, heads, cells.length - 1);
    if (next === undefined) return;
    event.preventDefault();
    cells[next]?.press.focus();
  }
  const cells = Array.from({ length: layers * heads }, (_, i) =>
    cellOf(i, heads, { choose, peek, walk }),
  );
  let drawn = null; // what the maps show
  function show(key, rowOf, grid, chosen, noteOf = () => "") {
    const anew = drawn === null || key.some((part, i) => part !== drawn[i]);
    drawn = key;
    cells.forEach(({ canvas, note, press, name }, i) => {
      if (anew) drawMap(canvas, toBytes(rowOf(i)), grid);
      note.textContent = noteOf(i);
      press.setAttribute("aria-pressed", i === chosen);
      press.setAttribute("aria-label", noteOf(i) ? `${name}: ${noteOf(i)}` : name);
      press.setAttribute("tabindex", i === chosen ? "0" : "-1");
    });
  }
  return { element: table(cells, heads), show };
}

/** The cells in rows, a number at each row and column. */
function table(cells, heads) {
  const axis = (text) => make("span", { class: "wt-axis", "aria-hidden": "true" }, text);
  const element = make(
    "div",
    { class: "wt-grid wt-all-heads", role: "group", "aria-label": "all heads" },
    axis(""),
    ...Array.from({ length: heads }, (_, h) => axis(String(h + 1))),
    ...cells.flatMap(({ press }, i) =>
      i % heads ? [press] : [axis(String(i / heads + 1)), press],
    ),
  );
  element.style.gridTemplateColumns = `18px repeat(${heads}, minmax(0, 1fr))`;
  return element;
}
