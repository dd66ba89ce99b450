// The photos that are open, ways to open more, and the network's one button.

import { button, hide, make, refill } from "../widgets/shared.js";
import { loadBar } from "./load_bar.js";
import { PictureError } from "./picture.js";

const THUMB = 64;

/** A button that opens the browser's own dialogue; `take` gets the files. */
function picker(text, attributes, take) {
  const input = make("input", {
    type: "file",
    accept: "image/*",
    class: "wt-file",
    ...attributes,
    onchange: () => {
      take([...input.files]);
      input.value = "";
    },
  });
  return make("label", { class: "wt-pick" }, input, text);
}

/** Show that something takes a moment; `work` gets a function for steps done. */
async function busy(view, text, work) {
  const { layers } = view.about;
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

/** Look at files, one after the other, and say at the end which were refused. */
async function addAll(view, chosen) {
  const refused = [];
  for (const file of chosen) {
    const work = (step) => view.session.add(file, step);
    const index = await busy(view, `Looking at ${file.name || "the picture"}`, work);
    if (index === null) refused.push(view.said());
    else await view.choosePhoto(index);
  }
  if (refused.length) view.say(refused.join(" "));
}

/** Files that are dropped on an explorer, or pasted into the page. */
function listen(root, add) {
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

/** A photo among those to choose from. */
function thumb(view, { title, ready, sample }, index) {
  const picture = ready
    ? small(ready.shown)
    : make("img", { src: sample.jpeg, alt: `thumbnail of ${title}`, height: THUMB });
  const onclick = () => view.choosePhoto(index);
  const attributes = { type: "button", "aria-label": title, title, onclick };
  const press = make("button", attributes, picture, make("span", {}, title));
  press.setAttribute("aria-pressed", index === view.photo);
  return press;
}

function small(canvas) {
  const copy = make("canvas");
  copy.height = THUMB;
  copy.width = Math.max(1, Math.round((canvas.width * THUMB) / canvas.height));
  copy.getContext("2d").drawImage(canvas, 0, 0, copy.width, copy.height);
  return copy;
}

/** Whose photo it is. */
function creditOf({ name, credit, smaller }) {
  if (credit) return `${credit}.`;
  const shrunk = " It was made smaller first: 12 megapixels are the most.";
  return `${name} stays on this machine.${smaller ? shrunk : ""}`;
}

/** What can be done once the network is here. */
function ownBar(view, add) {
  const close = button("Close this photo", () => {
    const gone = view.photo;
    view.session.remove(gone);
    view.choosePhoto(Math.max(0, gone - 1));
  });
  const files = picker("Choose photos", { multiple: "" }, add);
  const camera = picker("Take a photo", { capture: "environment" }, add);
  const hint = make("span", { class: "wt-note" }, "or drop one here, or paste");
  view.next = () => files.firstChild;
  const element = make("div", { class: "wt-bar wt-own" }, files, camera, close, hint);
  return { element, close };
}

/** @returns `element`, `draw()`, `busy`, and `listen(root)`, which takes what is dropped. */
export function openBar(view) {
  const { session, data } = view;
  view.arrived = () => view.choosePhoto(view.photo);
  const offer = "Load the network (%) to look at your own photo";
  const load = loadBar(session, data.network, offer, view);
  const own = ownBar(view, add);
  const list = make("div", { class: "wt-photos", role: "group", "aria-label": "photos" });
  const credit = make("p", { class: "wt-note wt-credit" });

  async function add(chosen) {
    element.setAttribute("aria-busy", "true");
    if (session.network === "away") await load.start();
    if (session.network === "here") await addAll(view, chosen);
    element.setAttribute("aria-busy", "false");
    element.dataset.rounds = Number(element.dataset.rounds ?? 0) + 1;
  }

  let drawn = null; // what the list of photos shows
  function draw() {
    const titles = session.photos.map((p) => [p.title, !!p.ready]);
    const wanted = JSON.stringify([view.photo, titles]);
    if (wanted !== drawn) {
      refill(list, ...session.photos.map((one, i) => thumb(view, one, i)));
      const chosen = list.children[view.photo]; // in sight, the page itself stays
      list.scrollLeft = chosen.offsetLeft - (list.clientWidth - chosen.clientWidth) / 2;
    }
    drawn = wanted;
    own.element.hidden = session.network !== "here";
    hide(own.close, !session.photos[view.photo].own, view.next());
    load.draw();
    credit.textContent = creditOf(view.now());
  }
  const attributes = { class: "wt-photo-bar" };
  const element = make("div", attributes, list, load.element, own.element, credit);
  return {
    element,
    draw,
    listen: (root) => listen(root, add),
    busy: (text, work) => busy(view, text, work),
  };
}
