// Maps in words, for those who read a table better than a picture.

import { make } from "./dom.js";

const ROWS = 5;

/**
 * The strongest patches of a map, folded away until it is wanted.
 *
 * `show(values, [h, w], name)` takes any numbers that are not negative; what is written
 * is their share of the sum.
 */
export function strongest() {
  const body = make("tbody");
  const caption = make("caption");
  const head = ["", "row", "column", "share"].map((t) => make("th", { scope: "col" }, t));
  const table = make(
    "table",
    {},
    caption,
    make("thead", {}, make("tr", {}, ...head)),
    body,
  );
  const summary = make("summary", {}, "The strongest patches as a table");
  const element = make("details", { class: "wt-note wt-strongest" }, summary, table);
  let latest = null;
  const write = () => {
    if (!element.open || latest === null) return;
    const [values, grid, name] = latest;
    caption.textContent = name;
    body.replaceChildren(...lines(values, grid));
  };
  element.addEventListener("toggle", write);
  element.show = (...what) => {
    latest = what;
    write();
  };
  return element;
}

/** Table rows of the largest values, largest first. */
function lines(values, [, w]) {
  const sum = values.reduce((a, b) => a + b, 0) || 1;
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[b] - values[a]);
  return order
    .slice(0, ROWS)
    .map((i, n) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, String(n + 1)),
        make("td", {}, String(Math.floor(i / w) + 1)),
        make("td", {}, String((i % w) + 1)),
        make("td", {}, `${((100 * values[i]) / sum).toFixed(1)} %`),
      ),
    );
}
