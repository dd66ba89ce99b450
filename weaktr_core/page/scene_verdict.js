// What the network says of a scene, beside what is true.

import { make, percent } from "../widgets/shared.js";
import { labels, meanIou } from "./labels.js";
import { drawMask } from "./masks.js";
import { swatch } from "./panel_classes.js";
import { SIDE } from "./scene_canvas.js";

export const SHOWN = SIDE / 2; // pixels a side of both masks
const LIKELY = 0.5; // a class that is believed in
const BELIEFS = 4; // as many are written down

/** Whether two scenes look the same; which thing is chosen cannot be seen. */
export const alike = (a, b) => a?.things === b.things && a.ground === b.ground;

/** Classes, the likeliest first. */
const ranked = (probabilities) =>
  probabilities.map((p, k) => [p, k]).sort(([a], [b]) => b - a);

/** What maps are made of: what is there, or what the network believes in. */
function tagsOf({ truth, probabilities }, given) {
  if (given === "tags")
    return [...new Set(truth)].filter(Boolean).map((label) => label - 1);
  const believed = ranked(probabilities).filter(([p], i) => !i || p >= LIKELY);
  return believed.map(([, k]) => k);
}

/** {found, tags, mean, each} of an answer. */
export function judged({ answer, given, threshold }) {
  const tags = tagsOf(answer, given);
  const maps = tags.map((k) => answer.fineOf(k));
  const label = [0, ...tags.map((k) => k + 1)];
  const size = [SHOWN, SHOWN];
  const found = labels(maps, answer.grid, size, threshold).map((v) => label[v]);
  return { found, tags, ...meanIou(answer.truth, found) };
}

/** Which scene is spoken of: while things move, an answer is some moments old. */
function whose({ answer, scene, session }) {
  if (alike(answer.scene, scene)) return "this scene";
  return session.network === "here" ? "the scene a moment ago" : "the first scene";
}

const MASKS = ["the network's mask", "the true mask"];

/** @returns `element` and `draw()`. */
export function verdict(view) {
  const canvases = MASKS.map((name) => make("canvas", { role: "img", "aria-label": name }));
  const pictures = canvases.map((canvas, i) =>
    make("div", {}, canvas, make("span", {}, MASKS[i])),
  );
  const words = make("p", { class: "wt-verdict" });
  const each = make("ul", { class: "wt-classes" });
  const belief = make("p", { class: "wt-note" });
  const scoreOf = ([label, iou]) => {
    const name = label ? view.names[label - 1] : "background";
    const square = swatch(view.data.key.colours[label]);
    return make("li", {}, square, `${name} ${percent(iou)}`);
  };

  let shown = []; // what is drawn: while things are dragged, an answer stays
  let mean = 0;
  function draw() {
    const { answer, given, threshold } = view;
    const wanted = [answer, given, threshold];
    if (wanted.some((part, i) => part !== shown[i])) mean = drawAnswer();
    shown = wanted;
    words.textContent = `IoU, mean over classes: ${percent(mean)} (${whose(view)}).`;
  }

  function drawAnswer() {
    const { answer } = view;
    const { found, tags, mean, each: scores } = judged(view);
    answer.photo ??= { shown: answer.canvas };
    [found, answer.truth].forEach((mask, i) => {
      drawMask(canvases[i], view, answer.photo, { labels: mask, size: [SHOWN, SHOWN] });
    });
    each.replaceChildren(...scores.map(scoreOf));
    const said = ranked(answer.probabilities).slice(0, BELIEFS);
    belief.textContent =
      `The network believes in ${said.map(([p, k]) => `${view.names[k]} ${percent(p)}`).join(", ")}. ` +
      `Maps were made of ${tags.map((k) => view.names[k]).join(", ")}.`;
    return mean;
  }
  const strip = make("div", { class: "wt-strip wt-two" }, ...pictures);
  const element = make("div", { class: "wt-side" }, strip, words, each, belief);
  return { element, draw };
}
