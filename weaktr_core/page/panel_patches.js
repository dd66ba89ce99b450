// What patches look like from inside: matches between two photos, colours of features.

import {
  choice,
  drawOverlay,
  drawPixels,
  frame,
  make,
  onDrag,
  setSize,
  toBytes,
} from "../widgets/shared.js";
import { FEATURES } from "./features.js";
import { pickPatch, stepPatch } from "./panel_heads.js";

export function patchesPanel(view) {
  let patch = 0;
  let other = null; // a photo
  let asked = 0; // messages to the worker; only the latest answer is drawn
  const left = make("canvas", {
    tabindex: "0",
    role: "application",
    class: "wt-over",
    "aria-label": "the photo that asks",
    onkeydown: (event) => {
      const next = stepPatch(event, patch, view.now().grid);
      if (next !== null) choosePatch(next);
    },
  });
  onDrag(left, (event) => choosePatch(pickPatch(event, left, view.now().grid)));
  const right = make("canvas", {
    role: "img",
    class: "wt-over",
    "aria-label": "the other photo",
  });
  const words = make("p", { class: "wt-note" });
  const colours = make("div", { class: "wt-strip wt-colours" });
  const pickOther = make("span");
  const layer = choice(
    "Layer",
    Array.from({ length: view.about.layers }, (_, i) => [i, i + 1]),
    view.layer,
    (v) => view.set({ layer: Number(v) }),
  );
  const kind = choice(
    "compared by",
    FEATURES.map((f) => [f, f]),
    view.kind,
    (v) => view.set({ kind: v }),
  );
  const missing = make("p", { class: "wt-note" });

  function choosePatch(next) {
    patch = next;
    draw();
  }

  /** Photos the worker knows. */
  const known = () => view.session.photos.filter((one) => one.ready && !one.ready.sample);

  async function chooseOther(index) {
    words.textContent = `Looking at ${view.session.photos[index].title} …`;
    other = await view.session.see(index);
    draw();
  }

  function drawPhoto(canvas, photo) {
    setSize(canvas, photo.shown.width, photo.shown.height);
    canvas.getContext("2d").drawImage(photo.shown, 0, 0);
  }

  async function match(photo) {
    const number = ++asked;
    const given = {
      photo: photo.id,
      other: other.id,
      patch,
      layer: view.layer,
      kind: view.kind,
    };
    const alike = await view.session.ask("match", given);
    if (number !== asked) return;
    const best = alike.reduce((b, v, i) => (v > alike[b] ? i : b), 0);
    const low = Math.min(...alike);
    drawOverlay(right, other.shown, toBytes(alike.map((v) => v - low)), other.grid, best);
    const at = (i, { grid }) =>
      `row ${Math.floor(i / grid[1]) + 1}, column ${(i % grid[1]) + 1}`;
    words.textContent =
      `By ${view.kind} of layer ${view.layer + 1}, ${at(patch, photo)} of ${photo.name} is most like ` +
      `${at(best, other)} of ${other.name}: cosine ${alike[best].toFixed(2)}.`;
    left.setAttribute("aria-label", `${words.textContent} Arrow keys move the patch.`);
    right.setAttribute("aria-label", words.textContent);
  }

  function drawColours(each) {
    colours.replaceChildren(
      ...each.map(([photo, bytes]) => {
        const canvas = make("canvas");
        drawPixels(canvas, photo.grid, (i) => bytes.slice(3 * i, 3 * i + 3));
        return make("div", {}, canvas, make("span", {}, photo.name));
      }),
    );
  }

  async function paint() {
    const open = known().map((one) => one.ready);
    if (!open.length) {
      // of the last layer, stored with the samples
      const stored = view.session.photos.filter((one) => one.ready?.colours);
      return drawColours(stored.map(({ ready }) => [ready, ready.colours]));
    }
    const given = { photos: open.map((p) => p.id), layer: view.layer, kind: view.kind };
    const found = await view.session.ask("colour", given);
    drawColours(open.map((photo, i) => [photo, found[i]]));
  }

  function drawOthers(photo) {
    const { photos } = view.session;
    if (!other || !photos.some((one) => one.ready === other))
      other = known().find((one) => one.ready !== photo)?.ready ?? photo;
    const options = photos.map(({ title, ready }, i) => [
      i,
      ready === photo ? `${title} itself` : title,
    ]);
    const now = photos.findIndex((one) => one.ready === other);
    pickOther.replaceChildren(choice("with", options, now, (v) => chooseOther(Number(v))));
  }

  function draw() {
    const photo = view.now();
    patch = Math.min(patch, photo.N - 1);
    if (patch === 0)
      patch = Math.floor(photo.grid[0] / 2) * photo.grid[1] + Math.floor(photo.grid[1] / 2);
    const live = !photo.sample;
    missing.hidden = live;
    pair.hidden = !live;
    missing.textContent =
      "Matches between photos and colours of other layers need the network: load it above. " +
      "Below are the colours of the last layer's output in the samples.";
    layer.show(view.layer);
    kind.show(view.kind);
    paint();
    if (!live) return;
    drawPhoto(left, photo);
    frame(left, photo.grid, patch);
    drawOthers(photo);
    match(photo);
  }
  const pair = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, pickOther),
    make("div", { class: "wt-pair" }, left, right),
    words,
  );
  const element = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, layer, kind),
    missing,
    pair,
    make(
      "p",
      { class: "wt-note" },
      "Colours: the three directions in which patches differ most, as red, green and blue. " +
        "Alike patches have alike colours, across photos, too.",
    ),
    colours,
  );
  return { name: "patches", title: "Patches", element, draw };
}
