// The plot over background scores: bars of the scores, curves, a cursor to drag.

import { svg } from "./shared.js";

const BOX = { left: 44, right: 8, top: 10, bottom: 36, width: 440, height: 260 };
const WIDE = BOX.width - BOX.left - BOX.right;
const TALL = BOX.height - BOX.top - BOX.bottom;

const y = (v) => BOX.height - BOX.bottom - v * TALL;
const across = (thresholds) => {
  const [low, high] = [thresholds[0], thresholds.at(-1)];
  return (t) => BOX.left + ((t - low) / (high - low)) * WIDE;
};

/** The threshold under the pointer. */
export function thresholdAt(event, picture, thresholds) {
  const box = picture.getBoundingClientRect();
  const at = ((event.clientX - box.left) / box.width) * BOX.width;
  const [low, high] = [thresholds[0], thresholds.at(-1)];
  return low + ((at - BOX.left) / WIDE) * (high - low);
}

/**
 * Draw all of it.
 *
 * @param picture the svg.
 * @param view with `thresholds`, `data` (marks, crf) and the colours `marks`.
 * @param scene with `beaten`, and perhaps `own`, `curves` and `after`: its curve, that of
 *   all scenes, and its quality after the CRF at the stored thresholds.
 * @param step index of the chosen threshold.
 */
export function plot(picture, { thresholds, data, marks }, scene, step) {
  const x = across(thresholds);
  const cursor = thresholds[step];
  picture.setAttribute("viewBox", `0 0 ${BOX.width} ${BOX.height}`);
  const parts = [...bars(scene.beaten, thresholds, x), ...axes(thresholds, x)];
  data.marks.forEach(([, t], k) => {
    parts.push(upright(x(t), marks[k], 2, k ? "6 4" : "2 3"));
  });
  if (scene.own) parts.push(line(scene.own, thresholds, x, "var(--wt-own)", "7 4"));
  if (scene.curves) parts.push(line(scene.curves, thresholds, x, "var(--wt-all)"));
  if (scene.after)
    scene.after.forEach((v, n) => {
      parts.push(dot(x(data.crf[n]), y(v), 4, "var(--wt-own)", "wt-after"));
    });
  parts.push(upright(x(cursor), "currentColor", 2, ""));
  parts.push(dot(x(cursor), y(1), 6, "currentColor", "wt-cursor"));
  picture.replaceChildren(...parts);
}

const dot = (cx, cy, r, fill, kind) =>
  svg("circle", { cx, cy, r, style: `fill: ${fill}`, class: kind });

const upright = (x, colour, width, dash) =>
  svg("line", {
    x1: x,
    x2: x,
    y1: y(0),
    y2: y(1),
    style: `stroke: ${colour}`,
    "stroke-width": width,
    "stroke-dasharray": dash,
  });

function line(values, thresholds, x, colour, dash = "") {
  const points = values.map((v, i) => (v === null ? "" : `${x(thresholds[i])},${y(v)}`));
  return svg("polyline", {
    points: points.filter(Boolean).join(" "),
    fill: "none",
    style: `stroke: ${colour}`,
    "stroke-width": 2.5,
    "stroke-dasharray": dash,
  });
}

/** How many pixels beat exactly n thresholds, the highest bar half as high as the plot. */
function bars(beaten, thresholds, x) {
  const steps = thresholds.length;
  const counts = new Float64Array(steps + 1);
  for (const level of beaten) counts[level] += 1;
  const top = Math.max(...counts);
  return thresholds.slice(1).map((t, n) =>
    svg("rect", {
      x: x(thresholds[n]),
      width: x(t) - x(thresholds[n]),
      y: y((0.5 * counts[n + 1]) / top),
      height: y(0) - y((0.5 * counts[n + 1]) / top),
      style: "fill: var(--wt-bar)",
    }),
  );
}

function axes(thresholds, x) {
  const [low, high] = [thresholds[0], thresholds.at(-1)];
  const text = (px, py, words, anchor = "middle") =>
    svg(
      "text",
      { x: px, y: py, "text-anchor": anchor, "font-size": 13, fill: "currentColor" },
      words,
    );
  const levels = [0, 0.25, 0.5, 0.75, 1].flatMap((v) => [
    svg("line", {
      x1: x(low),
      x2: x(high),
      y1: y(v),
      y2: y(v),
      style: "stroke: var(--wt-line)",
      "stroke-width": v ? 0.5 : 1,
    }),
    text(BOX.left - 6, y(v) + 4, v === 1 ? "100%" : 100 * v, "end"),
  ]);
  const ticks = [0, 1, 2, 3, 4].map((k) => {
    const t = low + (k * (high - low)) / 4;
    return text(x(t), y(0) + 16, Number(t.toFixed(2)));
  });
  const name = text((x(low) + x(high)) / 2, BOX.height - 4, "background score");
  return [...levels, ...ticks, name];
}
