// The photos that are open, ways to open more, and the network's one button.

import { button, make } from "../widgets/shared.js";
import { PictureError } from "./picture.js";

const THUMB = 64;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @returns `element`, `draw()`, and `listen(root)`, which takes what is dropped there. */
export function openBar(view) {
  const { session, data } = view;
  const size = megabytes(data.network.bytes);
  const load = button(`Load the network (${size}) to look at your own photo`, start);
  load.classList.add("wt-main-button");
  const bar = make("progress", { max: data.network.bytes, value: 0, hidden: "" });
  bar.setAttribute("aria-label", "the network is coming");
  const files = picker("Choose photos", { multiple: "" });
  const camera = picker("Take a photo", { capture: "environment" });
  const hint = make("span", { class: "wt-note" }, "or drop one here, or paste");
  const list = make("div", { class: "wt-photos", role: "group", "aria-label": "photos" });
  const credit = make("p", { class: "wt-note wt-credit" });
  const close = button("Close this photo", () => {
    const gone = view.photo;
    session.remove(gone);
    view.choosePhoto(Math.max(0, gone - 1));
  });

  const own = make("div", { class: "wt-bar wt-own" }, files, camera, close, hint);

  function picker(text, attributes) {
    const input = make("input", {
      type: "file",
      accept: "image/*",
      class: "wt-file",
      ...attributes,
      onchange: () => {
        add([...input.files]);
        input.value = "";
      },
    });
    return make("label", { class: "wt-pick" }, input, text);
  }

  async function start() {
    if (session.network !== "away") return;
    bar.hidden = false;
    const coming = session.load((bytes) => {
      bar.value = bytes;
      view.say(`${megabytes(bytes)} of ${size} are here.`);
    });
    draw();
    try {
      await coming;
      view.say("The network is here. It stays in this browser; your photos stay, too.");
    } catch (error) {
      view.say(`The network could not be loaded: ${error.message}.`);
    }
    bar.hidden = true;
    if (session.network === "here") await view.choosePhoto(view.photo);
  }

  /** Show that something takes a moment; `work` gets a function for steps done. */
  async function busy(text, work) {
    const layers = view.about.layers;
    try {
      const value = await work((step) => view.say(`${text}: layer ${step} of ${layers}`));
      view.say("");
      return value;
    } catch (error) {
      // a sentence that was written for the reader, or one that says what is broken
      const known = error instanceof PictureError;
      view.say(known ? error.message : `That failed: ${error.message}`);
      return null;
    }
  }

  async function add(chosen) {
    element.setAttribute("aria-busy", "true");
    if (session.network === "away") await start();
    if (session.network === "here") await addAll(chosen);
    element.setAttribute("aria-busy", "false");
    element.dataset.rounds = Number(element.dataset.rounds ?? 0) + 1;
  }

  async function addAll(chosen) {
    const refused = [];
    for (const file of chosen) {
      const work = (step) => session.add(file, step);
      const index = await busy(`Looking at ${file.name || "the picture"}`, work);
      if (index === null) refused.push(view.said());
      else await view.choosePhoto(index);
    }
    if (refused.length) view.say(refused.join(" "));
  }

  function listen(root) {
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.classList.add("wt-over-me");
    });
    root.addEventListener("dragleave", () => root.classList.remove("wt-over-me"));
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("wt-over-me");
      if (event.dataTransfer.files.length) add([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => {
      const pasted = [...(event.clipboardData?.files ?? [])];
      if (pasted.length && root.isConnected) add(pasted);
    });
  }

  function thumb({ title, ready, sample }, index) {
    const picture = ready
      ? small(ready.shown)
      : make("img", { src: sample.jpeg, alt: `thumbnail of ${title}`, height: THUMB });
    const press = make(
      "button",
      {
        type: "button",
        "aria-label": title,
        title,
        onclick: () => view.choosePhoto(index),
      },
      picture,
      make("span", {}, title),
    );
    press.setAttribute("aria-pressed", index === view.photo);
    return press;
  }

  let drawn = null; // what the list of photos shows
  function draw() {
    const wanted = JSON.stringify([
      view.photo,
      session.photos.map((p) => [p.title, !!p.ready]),
    ]);
    if (wanted !== drawn) list.replaceChildren(...session.photos.map(thumb));
    drawn = wanted;
    const here = session.network === "here";
    load.hidden = here;
    load.setAttribute("aria-disabled", session.network === "coming");
    own.hidden = !here;
    const photo = view.now();
    const { own: mine } = session.photos[view.photo];
    credit.textContent = photo.credit
      ? `${photo.credit}.`
      : `${photo.name} stays on this machine.${photo.smaller ? " It was made smaller first: 12 megapixels are the most." : ""}`;
    close.hidden = !mine;
  }
  if (location.protocol !== "file:")
    session.kept().then((kept) => {
      if (kept) load.textContent = "Start the network (it is in this browser already)";
    });
  const element = make(
    "div",
    { class: "wt-photo-bar" },
    list,
    make("div", { class: "wt-bar" }, load, bar),
    own,
    credit,
  );
  return { element, draw, listen, busy };
}

function small(canvas) {
  const copy = make("canvas");
  copy.height = THUMB;
  copy.width = Math.max(1, Math.round((canvas.width * THUMB) / canvas.height));
  copy.getContext("2d").drawImage(canvas, 0, 0, copy.width, copy.height);
  return copy;
}
