// Curves over epochs with a cursor that can be moved.

import { make, svg } from "./shared.js";

const BOX = { width: 300, height: 150, left: 38, right: 8, top: 8, bottom: 24 };

const written = (v) => (v === 0 ? "0" : v.toFixed(Math.abs(v) >= 10 ? 1 : 3));

/** A panel: `element`, and `at(epoch)` moves the cursor and writes the numbers. */
export function panelOf({ title, curves }, epochs) {
  const scale = scaleOf(curves, epochs.length);
  const cursor = svg("line", {
    y1: BOX.top,
    y2: BOX.height - BOX.bottom,
    stroke: "currentColor",
    "stroke-width": 1.5,
    "stroke-dasharray": "4 3",
    class: "wt-cursor",
  });
  const dots = curves.map((c) => svg("circle", { r: 4, fill: c.colour, stroke: "#fff" }));
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": title },
    ...axes(scale, epochs),
    ...curves.map((c) => pathOf(c, scale)),
    cursor,
    ...dots,
  );
  const values = curves.map(() => make("span"));
  const items = curves.map((c, i) =>
    make(
      "li",
      {},
      make("i", { style: `background: ${c.colour}` }),
      `${c.name} `,
      values[i],
    ),
  );
  const legend = make("ul", { class: "wt-legend" }, ...items);
  const at = (epoch) => {
    for (const side of ["x1", "x2"]) cursor.setAttribute(side, scale.x(epoch).toFixed(1));
    curves.forEach((c, i) => {
      const v = c.values[epoch];
      dots[i].setAttribute("visibility", v === null ? "hidden" : "visible");
      dots[i].setAttribute("cx", scale.x(epoch));
      dots[i].setAttribute("cy", v === null ? 0 : scale.y(v));
      values[i].textContent = v === null ? "–" : written(v);
    });
  };
  return {
    element: make("div", { class: "wt-panel" }, make("b", {}, title), picture, legend),
    at,
  };
}

/** Where epochs and values lie in the picture. */
function scaleOf(curves, count) {
  const known = curves.flatMap((c) => c.values).filter((v) => v !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(...known, low + 1e-9);
  const wide = BOX.width - BOX.left - BOX.right;
  const tall = BOX.height - BOX.top - BOX.bottom;
  return {
    low,
    high,
    x: (epoch) => BOX.left + (epoch / Math.max(1, count - 1)) * wide,
    y: (v) => BOX.height - BOX.bottom - ((v - low) / (high - low)) * tall,
  };
}

/** A curve, interrupted where nothing is known. */
function pathOf({ values, colour }, { x, y }) {
  let pen = "M";
  const steps = values.map((v, epoch) => {
    const step = v === null ? "" : `${pen}${x(epoch).toFixed(1)} ${y(v).toFixed(1)}`;
    pen = v === null ? "M" : "L";
    return step;
  });
  return svg("path", {
    d: steps.join(""),
    stroke: colour,
    fill: "none",
    "stroke-width": 2,
  });
}

function axes({ low, high, x, y }, epochs) {
  const text = (place, anchor, words) =>
    svg(
      "text",
      { ...place, "text-anchor": anchor, "font-size": 11, fill: "currentColor" },
      words,
    );
  const line = `M${BOX.left} ${BOX.top}V${y(low)}H${BOX.width - BOX.right}`;
  return [
    svg("path", { d: line, stroke: "currentColor", fill: "none" }),
    text({ x: BOX.left - 4, y: BOX.top + 8 }, "end", written(high)),
    text({ x: BOX.left - 4, y: y(low) }, "end", written(low)),
    text({ x: x(0), y: BOX.height - 8 }, "start", epochs[0]),
    text({ x: BOX.width - BOX.right, y: BOX.height - 8 }, "end", epochs.at(-1)),
  ];
}
