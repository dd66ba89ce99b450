// "Your photo": a bar of photos, and what can be asked of the one that is chosen.

import { make, STYLE } from "../widgets/shared.js";
import { PAGE_STYLE } from "./page_style.js";
import { classesPanel } from "./panel_classes.js";
import { headsPanel } from "./panel_heads.js";
import { keepPanel } from "./panel_keep.js";
import { patchesPanel } from "./panel_patches.js";
import { trialPanel } from "./panel_trial.js";
import { openBar } from "./photo_bar.js";
import { openSession } from "./session.js";
import { settingOf, untouched } from "./setting.js";
import { readLink, writeLink } from "./state_link.js";

let copies = 0;
const PANELS = [classesPanel, headsPanel, trialPanel, patchesPanel, keepPanel];

async function render({ model, el }) {
  const data = model.get("data");
  const { about } = data.network;
  const view = {
    data,
    about,
    names: about.classes.map(String),
    heads: about.layers * about.heads,
    tab: model.get("tab"),
    only: model.get("only"), // one tab, inside a chapter; address of the page with all
    stage: model.get("stage") ?? "mask",
    photo: 0, // index in session.photos
    token: null, // of what asks: -1 - k for a class, an index for a patch; null: the first tag
    head: trusted(data.samples[0].learned, about),
    shown: null, // the class whose maps are drawn; null: the first tag
    threshold: about.notes.config?.threshold ?? 0.4,
    trial: untouched(),
    layer: about.layers - 1,
    kind: "output",
  };
  if (!view.only) Object.assign(view, readLink(location.hash, view));
  view.session = openSession(view);
  await view.session.open(view.photo).catch(() => {
    view.photo = 0;
    return view.session.open(0);
  });
  reading(view);
  el.replaceChildren(layout(view));
  return view.session.stop;
}

/** The head of the last layer with the largest weight. */
function trusted(learned, { layers, heads }) {
  const last = learned.slice((layers - 1) * heads);
  return (layers - 1) * heads + last.indexOf(Math.max(...last));
}

/** What is chosen now, within what the photo has. */
function reading(view) {
  view.now = () => view.session.photos[view.photo].ready;
  view.classNow = () => {
    const photo = view.now();
    return photo.classes.includes(view.shown) ? view.shown : photo.tags[0];
  };
  /** What asks: {patch} or {k}. */
  view.askerNow = () => {
    const { token } = view;
    const photo = view.now();
    if (token !== null && token >= 0 && token < photo.N && photo.patchRows)
      return { patch: token };
    const k = -1 - token;
    return { k: token !== null && photo.classes.includes(k) ? k : photo.tags[0] };
  };
  view.askerName = () => {
    const { patch, k } = view.askerNow();
    if (patch === undefined) return `the class token of ${view.names[k]}`;
    const [, w] = view.now().grid;
    return `patch row ${Math.floor(patch / w) + 1}, column ${(patch % w) + 1}`;
  };
  /** Attention (N) of the i-th head, from what asks. */
  view.rowOf = (i, asker = view.askerNow(), photo = view.now()) => {
    const { N } = photo;
    if (asker.patch === undefined)
      return photo.rowsOf(asker.k).subarray(i * N, (i + 1) * N);
    const start = (i * N + asker.patch) * N;
    return photo.patchRows.subarray(start, start + N);
  };
  const kept = new WeakMap(); // photo -> its setting of the latest trial
  view.setting = (photo = view.now(), trial = view.trial) => {
    const last = kept.get(photo);
    if (last?.trial === trial) return last.setting;
    const setting = settingOf(trial, photo, view.about);
    kept.set(photo, { trial, setting });
    return setting;
  };
  view.learned = untouched();
}

/** One tab a panel, as ARIA's practices have it; `show(name)` opens one. */
function tabsOf(view, panels) {
  // a page may show several: the first has the plain ids
  const mine = document.getElementById("wt-tab-heads") ? `-${++copies}` : "";
  const step = (event, i) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const next = (i + way + panels.length) % panels.length;
    show(panels[next].name);
    tabs[next].focus();
  };
  const tabs = panels.map(({ name, title, element }, i) => {
    const [id, panel] = [`wt-tab-${name}${mine}`, `wt-panel-${name}${mine}`];
    element.id = panel;
    element.setAttribute("role", "tabpanel");
    element.setAttribute("aria-labelledby", id);
    const attributes = { type: "button", role: "tab", id, "aria-controls": panel };
    const listeners = { onclick: () => show(name), onkeydown: (event) => step(event, i) };
    return make("button", { ...attributes, ...listeners }, title);
  });
  function show(name) {
    view.tab = panels.some((panel) => panel.name === name) ? name : panels[0].name;
    panels.forEach((panel, i) => {
      const on = panel.name === view.tab;
      panel.element.hidden = !on;
      tabs[i].setAttribute("aria-selected", on);
      tabs[i].setAttribute("tabindex", on ? "0" : "-1");
    });
    view.draw();
  }
  const attributes = { class: "wt-tabs", role: "tablist", "aria-label": "What to look at" };
  return { element: make("div", attributes, ...tabs), show };
}

/** Inside a chapter: the way to the page that has all, in the state that is set here. */
function wayOut(view) {
  const link = make("a", { href: view.only }, "More of this on a page of its own");
  const draw = () => {
    link.href = view.only + writeLink(view);
  };
  return { element: make("p", { class: "wt-note" }, link, "."), draw };
}

/** What the panels ask for: `draw`, `set`, `choosePhoto`. */
function acting(view, root, bar, panels, out) {
  view.draw = () => {
    const start = performance.now();
    bar.draw();
    panels.find((panel) => panel.name === view.tab).draw();
    out?.draw();
    root.dataset.milliseconds = (performance.now() - start).toFixed(1);
  };
  view.set = (changes) => {
    Object.assign(view, changes);
    view.draw();
  };
  view.choosePhoto = async (index) => {
    const { name } = await view.session.open(index);
    if (index !== view.photo) Object.assign(view, { token: null, shown: null });
    view.photo = index;
    view.draw();
    if (!view.now().sample || view.session.network !== "here") return;
    // a sample, now by the network itself; patches are others then
    await bar.busy(`Looking at ${name}`, (step) => view.session.see(index, step));
    view.token = null;
    view.draw();
  };
}

function layout(view) {
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  view.say = (text) => {
    say.textContent = text;
  };
  view.said = () => say.textContent;
  const all = PANELS.map((open) => open(view));
  const panels = view.only ? all.filter(({ name }) => name === view.tab) : all;
  const bar = openBar(view);
  const root = make("div", { class: "wt wt-your_photo" });
  const out = view.only ? wayOut(view) : null;
  acting(view, root, bar, panels, out);
  const tabs = view.only ? null : tabsOf(view, panels);
  root.append(
    make("style", {}, STYLE + PAGE_STYLE),
    bar.element,
    ...(tabs ? [tabs.element] : []),
    ...panels.map((panel) => panel.element),
    ...(out ? [out.element] : []),
    say,
  );
  bar.listen(root);
  if (tabs) tabs.show(view.tab);
  else view.draw();
  return root;
}

export default { render };
