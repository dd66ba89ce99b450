// A head beside another, in pictures and numbers.

import { asker, chosen, lift, meanOf, queryName, row } from "./heads_state.js";
import { drawMap, make } from "./shared.js";

export const NUMBERS = [
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

/** Of one map, as the table and the sorting show them. */
export function statistics(values, mean, columns, from) {
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

/** The chosen head beside the one under the pointer, the kept one, or the mean of all. */
export function drawVersus(view, p) {
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
