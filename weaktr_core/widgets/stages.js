// Stages: cap, product and jumps of the evidence as switches; map and mask follow.

import { capMaps, gather } from "./fusion_maps.js";
import { CUTS, drawLabelMap, judge, ofClass, openPicture, per, pooled } from "./judged.js";
import {
  choice,
  connect,
  drawMap,
  drawOverlay,
  expand,
  followPage,
  make,
  range,
  STYLE,
  strongest,
  tick,
  toBytes,
  unpackRows,
} from "./shared.js";

const TRAITS = ["photo", "shown", "coarse", "cross", "cap", "jumps", "threshold", "follow"];
const JUMPS = 4;

async function render({ model, el }) {
  const data = model.get("data");
  const view = { model, data, photos: await Promise.all(data.photos.map(open)) };
  Object.assign(
    view,
    connect(model, TRAITS, () => draw(view)),
  );
  view.parts = { ...pictures(), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  draw(view);
  const leave = followPage("stages", root, view);
  return () => {
    leave();
    view.stop();
  };
}

async function open(p) {
  const packed = [p.coarse, p.cross, p.affinity].map(unpackRows);
  const [picture, ...rows] = await Promise.all([openPicture(p), ...packed]);
  const [coarseMap, crossMap, affinity] = rows.map((one) => expand(one, picture.count));
  return { ...picture, coarseMap, crossMap, affinity };
}

// ---- what is chosen

/** The switches, and words for them. */
function setting({ model, at }) {
  const [coarse, cross, cap] = ["coarse", "cross", "cap"].map((name) => model.get(name));
  return { coarse, cross, cap: cap && cross, jumps: at("jumps", JUMPS + 1) };
}

function named({ coarse, cross, cap, jumps }) {
  const where = cap ? "capped cross-attention" : "cross-attention";
  const maps = [coarse ? "coarse CAM" : "", cross ? where : ""].filter(Boolean);
  const start = maps.join(" × ") || "no evidence";
  return jumps ? `${start}, ${jumps} ${jumps === 1 ? "jump" : "jumps"}` : start;
}

/** The maps of a photo under a setting, step by step; the last is the result. */
function follow(p, { coarse, cross, cap, jumps }, limit) {
  const crossMap = cap ? capMaps(p.crossMap.slice(), p.count, limit) : p.crossMap;
  const start = p.coarseMap.map((v, i) => (coarse ? v : 1) * (cross ? crossMap[i] : 1));
  const steps = [start];
  for (let n = 0; n < jumps; n++) steps.push(gather(p.affinity, steps[n], p.count));
  return { crossMap, steps };
}

// ---- what the page consists of

function pictures() {
  const still = (name, label) =>
    make("canvas", { class: `wt-${name}`, role: "img", "aria-label": label });
  return {
    big: make("canvas", { role: "img" }),
    labels: still("labels", "labels"),
    truth: still("truth", "true mask"),
    coarseMap: still("coarse", "coarse CAM"),
    crossMap: still("cross", "cross-attention map"),
    product: still("start", "what is multiplied"),
    result: still("result", "after the jumps"),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    tally: make("p", { class: "wt-tally" }),
    words: strongest(),
  };
}

function fields({ set, photos, data }) {
  return {
    photo: choice(
      "Picture",
      photos.map((p, i) => [i, p.name]),
      0,
      (v) => set({ photo: Number(v), shown: 0 }),
    ),
    shown: make("span"),
    coarse: tick("what: coarse CAM", (on) => set({ coarse: on })),
    cross: tick("where: cross-attention map", (on) => set({ cross: on })),
    cap: tick(`cap it at ${data.cap} times its mean`, (on) => set({ cap: on })),
    jumps: range("Jumps", { min: 0, max: JUMPS, step: 1 }, (v) => set({ jumps: v })),
    cut: range("Threshold", { min: 0, max: 1, step: 0.01 }, (v) =>
      set({ threshold: v, follow: false }),
    ),
    follow: tick("keep it at the best", (on) => set({ follow: on })),
  };
}

function layout(view) {
  const { parts } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  const still = (canvas, name) => make("div", {}, canvas, make("span", {}, name));
  return make(
    "div",
    { class: "wt wt-stages" },
    make("style", {}, STYLE + STAGES_STYLE),
    bar(parts.photo, parts.shown, view.undoField),
    bar(parts.coarse, parts.cross, parts.cap, parts.jumps),
    make("p", { class: "wt-note" }, HOW),
    make(
      "div",
      { class: "wt-three wt-stay" },
      parts.big,
      still(parts.labels, "cut at the threshold"),
      still(parts.truth, "true mask"),
    ),
    bar(parts.cut, parts.follow),
    make(
      "div",
      { class: "wt-strip" },
      still(parts.coarseMap, "coarse CAM: what"),
      still(parts.crossMap, "cross-attention map: where"),
      still(parts.product, "product"),
      still(parts.result, "after the jumps"),
    ),
    parts.say,
    parts.tally,
    parts.words,
  );
}

const HOW =
  "Both maps ticked are multiplied. A jump lets every patch gather the evidence of the " +
  "patches that it looks at. The method uses both maps, the cap and one jump.";

const STAGES_STYLE = `
.wt-stages .wt-three { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr));
  gap: 10px; margin: 10px 0; font-size: 12px; align-items: start; }
.wt.wt-stages .wt-three canvas { width: 100%; max-height: none; image-rendering: pixelated;
  display: block; border-radius: 4px; }
.wt-stages .wt-tally { font-weight: 600; margin: 4px 0 0; }
`;

// ---- drawing

function draw(view) {
  const { model, data, parts, photos, at } = view;
  const p = photos[at("photo", photos.length)];
  const shown = at("shown", p.classes.length);
  const chosen = setting(view);
  const { crossMap, steps } = follow(p, chosen, data.cap);
  const found = judge(p, steps.at(-1), data.labels);
  const best = found.cut / (CUTS - 1);
  if (model.get("follow") && model.get("threshold") !== best)
    view.write({ threshold: best });
  const cut = Math.min(1, Math.max(0, model.get("threshold")));
  drawFields(view, p, chosen, cut);
  const part = (maps) => ofClass(p, maps, shown);
  const large = part(steps.at(-1));
  const title = `${named(chosen)}, ${p.classes[shown]} on ${p.name}`;
  drawOverlay(parts.big, p.image, toBytes(large), p.grid);
  parts.big.setAttribute("aria-label", title);
  parts.words.show(large, p.grid, title);
  const small = {
    coarseMap: p.coarseMap,
    crossMap,
    product: steps[0],
    result: steps.at(-1),
  };
  for (const [name, maps] of Object.entries(small))
    drawMap(parts[name], toBytes(part(maps)), p.grid);
  drawLabelMap(parts.labels, p, (i) => (found.score[i] > cut ? found.best[i] : 0));
  drawLabelMap(parts.truth, p, (i) => p.truth[i]);
  say(view, p, chosen, found, cut);
}

function drawFields(view, p, chosen, cut) {
  const { model, parts, photos, at } = view;
  parts.photo.show(photos.indexOf(p));
  if (view.classesOf !== p) {
    view.classesOf = p;
    const names = p.classes.map((name, i) => [i, name]);
    view.classes = choice("Class", names, "", (v) => view.set({ shown: Number(v) }));
    parts.shown.replaceChildren(p.classes.length < 2 ? "" : view.classes);
  }
  view.classes.show(at("shown", p.classes.length));
  parts.coarse.show(model.get("coarse"));
  parts.cross.show(model.get("cross"));
  parts.cap.show(model.get("cap"), model.get("cross"));
  parts.jumps.show(chosen.jumps, String(chosen.jumps));
  parts.cut.show(cut, cut.toFixed(2));
  parts.follow.show(model.get("follow"));
}

/** This picture now, and all pictures at one threshold, beside the method's own setting. */
function say(view, p, chosen, { miou, top }, cut) {
  const { data, parts, photos, model } = view;
  const reached = (what) => {
    view.judged ??= new Map();
    const key = named(what);
    if (!view.judged.has(key)) {
      const of = (one) => judge(one, follow(one, what, data.cap).steps.at(-1), data.labels);
      view.judged.set(key, pooled(photos.map(of)));
    }
    return view.judged.get(key);
  };
  const rest = model.get("follow") ? ", its best" : `, ${per(top)} % at its best`;
  const at = miou[Math.round(cut * (CUTS - 1))];
  parts.say.textContent = `${p.name}, ${named(chosen)}: ${per(at)} % mIoU at threshold ${cut.toFixed(2)}${rest}.`;
  const method = { coarse: true, cross: true, cap: true, jumps: 1 };
  parts.tally.textContent =
    `All ${photos.length} pictures at one threshold: ${per(reached(chosen))} %; ` +
    `the method's own setting ${per(reached(method))} %.`;
}

export default { render };
