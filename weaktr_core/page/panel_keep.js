// What a reader takes home: a picture, masks as files, a link to this very view.

import { button, make } from "../widgets/shared.js";
import { cocoJson } from "./coco.js";
import { drawMask, maskOf } from "./masks.js";
import { palettePng } from "./png.js";
import { writeLink } from "./state_link.js";

const LONGEST = 4000; // pixels of a saved mask's longer side

const stem = (name) => name.replace(/\.[^.]*$/, "") || "photo";

async function savePicture(view) {
  const photo = view.now();
  const canvas = make("canvas");
  drawMask(canvas, view, photo, maskOf(view, photo, view.trial, 1200));
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  save(blob, `${stem(photo.name)}-mask-over-photo.png`);
}

async function saveMask(view) {
  const photo = view.now();
  const { labels, size } = maskOf(view, photo, view.trial, LONGEST);
  save(await palettePng(labels, size, view.data.key.colours), `${stem(photo.name)}.png`);
}

function saveCoco(view) {
  const ready = view.session.photos.filter((one) => one.ready).map((one) => one.ready);
  const all = ready.map((photo) => ({
    name: photo.name,
    ...maskOf(view, photo, view.trial, LONGEST),
  }));
  const text = JSON.stringify(cocoJson(all, view.names));
  save(new Blob([text], { type: "application/json" }), "masks.json");
}

export function keepPanel(view) {
  const attributes = { type: "text", readonly: "", "aria-label": "link to this view" };
  const link = make("input", attributes);
  async function copy() {
    link.select();
    try {
      await navigator.clipboard.writeText(link.value);
      view.say("The link is copied. It holds this view, no photo.");
    } catch {
      view.say("Copy the marked link.");
    }
  }
  function draw() {
    link.value = location.href.split("#")[0] + writeLink(view);
  }
  const element = make(
    "div",
    { class: "wt-keep" },
    make(
      "div",
      { class: "wt-bar" },
      button("Save picture", () => savePicture(view)),
      button("Save mask (PNG, labels as VOC stores them)", () => saveMask(view)),
      button("Save all masks (COCO JSON)", () => saveCoco(view)),
    ),
    make("div", { class: "wt-bar wt-link" }, link, button("Copy link", copy)),
    make(
      "p",
      { class: "wt-note" },
      "Masks are those of the tags, the background score and the heads as they are set now; " +
        "the JSON holds all open photos. The link restores what is set; photos stay on this machine.",
    ),
  );
  return { name: "keep", title: "Save", element, draw };
}

function save(blob, name) {
  const href = URL.createObjectURL(blob);
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}
