// What patches look like from inside: matches between two photos, colours of features.

import {
  choice,
  drawOverlay,
  drawPixels,
  frame,
  make,
  onDrag,
  refill,
  setSize,
  strongest,
  toBytes,
} from "../widgets/shared.js";
import { FEATURES } from "./features.js";
import { middleOf, pickPatch, stepPatch } from "./panel_heads.js";

const MISSING =
  "Matches between photos and colours of other layers need the network: load it above. " +
  "Below are the colours of the last layer's output in the samples.";

/** Photos the worker knows. */
const known = (view) => view.session.photos.filter((one) => one.ready && !one.ready.sample);

const place = (i, { grid }) =>
  `row ${Math.floor(i / grid[1]) + 1}, column ${(i % grid[1]) + 1}`;

/** Both photos, the one that asks and the other. */
function pairOf(view, now) {
  const choose = (patch) => {
    now.patch = patch;
    view.draw();
  };
  const left = make("canvas", {
    tabindex: "0",
    role: "application",
    class: "wt-over",
    "aria-label": "the photo that asks",
    onkeydown: (event) => {
      const next = stepPatch(event, now.patch, view.now().grid);
      if (next !== null) choose(next);
    },
  });
  onDrag(left, (event) => choose(pickPatch(event, left, view.now().grid)));
  const right = make("canvas", {
    role: "img",
    class: "wt-over",
    "aria-label": "the other photo",
  });
  return { left, right };
}

/** What is compared, and with whom. */
function fieldsOf(view) {
  const layers = Array.from({ length: view.about.layers }, (_, i) => [i, i + 1]);
  const kinds = FEATURES.map((f) => [f, f]);
  return {
    layer: choice("Layer", layers, view.layer, (v) => view.set({ layer: Number(v) })),
    kind: choice("compared by", kinds, view.kind, (kind) => view.set({ kind })),
    pickOther: make("span"),
  };
}

async function chooseOther(view, { now, words }, index) {
  words.textContent = `Looking at ${view.session.photos[index].title} …`;
  now.other = await view.session.see(index);
  view.draw();
}

function drawOthers(view, parts) {
  const { now, pickOther } = parts;
  const { photos } = view.session;
  const photo = view.now();
  if (!now.other || !photos.some((one) => one.ready === now.other))
    now.other = known(view).find((one) => one.ready !== photo)?.ready ?? photo;
  const options = photos.map(({ title, ready }, i) => [
    i,
    ready === photo ? `${title} itself` : title,
  ]);
  const chosen = photos.findIndex((one) => one.ready === now.other);
  const choose = (v) => chooseOther(view, parts, Number(v));
  refill(pickOther, choice("with", options, chosen, choose));
}

function drawLeft(view, { left, now }) {
  const { shown, grid } = view.now();
  setSize(left, shown.width, shown.height);
  left.getContext("2d").drawImage(shown, 0, 0);
  frame(left, grid, now.patch);
}

/** Where the other photo is most like the patch; only the latest question is answered. */
async function match(view, { left, right, words, table, now }) {
  const { patch, other } = now;
  const { layer, kind } = view;
  const photo = view.now();
  const number = ++now.asked;
  const given = { photo: photo.id, other: other.id, patch, layer, kind };
  const alike = await view.session.ask("match", given);
  if (number !== now.asked) return;
  const best = alike.reduce((b, v, i) => (v > alike[b] ? i : b), 0);
  const low = Math.min(...alike);
  const above = alike.map((v) => v - low);
  drawOverlay(right, other.shown, toBytes(above), other.grid, best);
  words.textContent =
    `By ${kind} of layer ${layer + 1}, ${place(patch, photo)} of ${photo.name} is most like ` +
    `${place(best, other)} of ${other.name}: cosine ${alike[best].toFixed(2)}.`;
  left.setAttribute("aria-label", `${words.textContent} Arrow keys move the patch.`);
  right.setAttribute("aria-label", words.textContent);
  table.show(above, other.grid, `likeness above the least, in ${other.name}`);
}

/** Colours (photo, bytes) of some photos, side by side. */
function drawColours(colours, each) {
  colours.replaceChildren(
    ...each.map(([photo, bytes]) => {
      const canvas = make("canvas");
      drawPixels(canvas, photo.grid, (i) => bytes.slice(3 * i, 3 * i + 3));
      return make("div", {}, canvas, make("span", {}, photo.name));
    }),
  );
}

async function paint(view, { colours }) {
  const open = known(view).map((one) => one.ready);
  if (!open.length) {
    // of the last layer, stored with the samples
    const stored = view.session.photos.filter((one) => one.ready?.colours);
    return drawColours(
      colours,
      stored.map(({ ready }) => [ready, ready.colours]),
    );
  }
  const given = { photos: open.map((p) => p.id), layer: view.layer, kind: view.kind };
  const found = await view.session.ask("colour", given);
  drawColours(
    colours,
    open.map((photo, i) => [photo, found[i]]),
  );
}

function draw(view, parts) {
  const { now, missing, pair, layer, kind } = parts;
  const photo = view.now();
  now.patch = Math.min(now.patch, photo.N - 1) || middleOf(photo.grid);
  const live = !photo.sample;
  missing.hidden = live;
  pair.hidden = !live;
  layer.show(view.layer);
  kind.show(view.kind);
  paint(view, parts);
  if (!live) return;
  drawLeft(view, parts);
  drawOthers(view, parts);
  match(view, parts);
}

export function patchesPanel(view) {
  const now = { patch: 0, other: null, asked: 0 }; // `other` a photo
  const parts = {
    now,
    ...pairOf(view, now),
    ...fieldsOf(view),
    words: make("p", { class: "wt-note" }),
    table: strongest(),
    colours: make("div", { class: "wt-strip wt-colours" }),
    missing: make("p", { class: "wt-note" }, MISSING),
  };
  const { left, right, layer, kind, pickOther, words, table, missing, colours } = parts;
  parts.pair = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, pickOther),
    make("div", { class: "wt-pair" }, left, right),
    words,
    table,
  );
  const key =
    "Colours: the three directions in which patches differ most, as red, green and blue. " +
    "Alike patches have alike colours, across photos, too.";
  const element = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, layer, kind),
    missing,
    parts.pair,
    make("p", { class: "wt-note" }, key),
    colours,
  );
  return { name: "patches", title: "Patches", element, draw: () => draw(view, parts) };
}
