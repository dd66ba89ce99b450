// What a reader takes home: a picture, masks as files, a link to this very view.

import { button, make } from "../widgets/shared.js";
import { cocoJson } from "./coco.js";
import { drawMask, maskOf } from "./masks.js";
import { palettePng } from "./png.js";
import { writeLink } from "./state_link.js";

const LONGEST = 4000; // pixels of a saved mask's longer side

export function keepPanel(view) {
  const stem = (name) => name.replace(/\.[^.]*$/, "") || "photo";
  const ready = () =>
    view.session.photos.filter((one) => one.ready).map((one) => one.ready);
  const link = make("input", {
    type: "text",
    readonly: "",
    "aria-label": "link to this view",
  });

  async function picture() {
    const photo = view.now();
    const canvas = make("canvas");
    const mask = maskOf(view, photo, view.trial, 1200);
    drawMask(canvas, view, photo, mask);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve));
    save(blob, `${stem(photo.name)}-mask-over-photo.png`);
  }

  async function mask() {
    const photo = view.now();
    const { labels, size } = maskOf(view, photo, view.trial, LONGEST);
    save(await palettePng(labels, size, view.data.key.colours), `${stem(photo.name)}.png`);
  }

  function coco() {
    const all = ready().map((photo) => ({
      name: photo.name,
      ...maskOf(view, photo, view.trial, LONGEST),
    }));
    const text = JSON.stringify(cocoJson(all, view.names));
    save(new Blob([text], { type: "application/json" }), "masks.json");
  }

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
      button("Save picture", picture),
      button("Save mask (PNG, labels as VOC stores them)", mask),
      button("Save all masks (COCO JSON)", coco),
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
