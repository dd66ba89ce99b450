// "Draw your own scene": things on a ground, the network's mask and the true one, live.

import { choice, loadImage, make, range, STYLE } from "../widgets/shared.js";
import { loadBar } from "./load_bar.js";
import { PAGE_STYLE } from "./page_style.js";
import { look } from "./photos.js";
import { sceneBar } from "./scene_bar.js";
import { drawScene, trueMask } from "./scene_canvas.js";
import { stage } from "./scene_stage.js";
import { alike, SHOWN, verdict } from "./scene_verdict.js";
import { newId, openSession } from "./session.js";
import { settingOf, untouched } from "./setting.js";

async function render({ model, el }) {
  const data = model.get("data");
  const { about } = data.network;
  const [sprites, grounds] = await Promise.all([data.sprites, data.grounds].map(opened));
  const view = {
    data,
    about,
    sprites,
    grounds,
    names: about.classes.map(String),
    scene: { ...data.start.scene, chosen: 0 },
    threshold: data.threshold,
    given: "tags", // or "beliefs": what maps are made of
    past: [],
    id: newId(),
    session: openSession({ data: { ...data, samples: [] }, about }),
  };
  view.answer = { ...drawn(view), ...data.start, fineOf: (k) => data.start.fine[k] };
  answering(view);
  editing(view);
  el.replaceChildren(layout(view));
  view.draw();
}

const opened = (list) =>
  Promise.all(list.map(async (one) => ({ ...one, image: await loadImage(one.src) })));

/** The scene as it is now, with its picture and its true mask. */
function drawn({ scene, sprites, grounds }) {
  const canvas = drawScene(grounds[scene.ground].image, scene.things, sprites);
  return { scene, canvas, truth: trueMask(scene.things, sprites, SHOWN) };
}

/** `view.look()`: the scene as it is now; what changes meanwhile is looked at next. */
function answering(view) {
  const { about, session, data } = view;
  let looking = false;
  async function answer() {
    const now = { name: "your scene", ...drawn(view) };
    const { grid } = data.start;
    const photo = await look(now, view.id, about, session.ask, () => {}, grid);
    const setting = settingOf(untouched(), photo, about);
    const { probabilities } = photo;
    return { ...now, grid, probabilities, fineOf: (k) => photo.mapsOf(k, setting).fine };
  }
  view.look = async () => {
    if (looking || session.network !== "here") return;
    looking = true;
    try {
      while (!alike(view.answer.scene, view.scene)) {
        view.answer = await answer();
        view.draw();
      }
    } catch (error) {
      view.say(`That failed: ${error.message}`);
    }
    looking = false;
  };
  view.arrived = () => {
    view.answer = { ...view.answer, scene: null }; // the first scene, too, anew
    return view.look();
  };
}

/** Changes of the scene, and their undoing. */
function editing(view) {
  view.thingName = (i) => view.names[view.sprites[view.scene.things[i].sprite].k];
  const show = (scene) => {
    view.scene = scene;
    view.draw();
    view.look();
  };
  view.choose = (chosen) => show({ ...view.scene, chosen });
  view.change = (scene, kept = true) => {
    if (kept) view.past.push(view.scene);
    show(scene);
  };
  view.undo = () => view.past.length && show(view.past.pop());
}

/** What masks are made from. */
function settings(view) {
  const set = (changes) => {
    Object.assign(view, changes);
    view.draw();
  };
  const cut = range("Background score", { min: 0, max: 100, step: 1 }, (v) =>
    set({ threshold: v / 100 }),
  );
  const tags = [
    ["tags", "what is there"],
    ["beliefs", "what the network believes in"],
  ];
  const told = choice("Maps of", tags, view.given, (given) => set({ given }));
  const draw = () => cut.show(Math.round(100 * view.threshold), view.threshold.toFixed(2));
  return { element: make("div", { class: "wt-bar" }, told, cut), draw };
}

function layout(view) {
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  view.say = (text) => {
    say.textContent = text;
  };
  const offer = "Load the scenes' network (%) to judge your own scene";
  const load = loadBar(view.session, view.data.network, offer, view);
  const scene = stage(view);
  view.next = () => scene.canvas;
  const parts = [load, sceneBar(view), scene, verdict(view), settings(view)];
  const [, bar, , result, marks] = parts;
  const root = make(
    "div",
    { class: "wt wt-scenes" },
    make("style", {}, STYLE + PAGE_STYLE),
    load.element,
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big" }, scene.canvas),
      result.element,
    ),
    bar.element,
    marks.element,
    say,
  );
  view.draw = () => {
    const start = performance.now();
    for (const part of parts) part.draw();
    root.dataset.milliseconds = (performance.now() - start).toFixed(1);
  };
  return root;
}

export default { render };
