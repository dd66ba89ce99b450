// What can be done with a scene, all of it without dragging.

import { button, choice, make } from "../widgets/shared.js";

const STEP = 0.04; // of the side
const LARGER = 1.15;
const MOST = 6; // things in a scene
export const SIZES = [0.15, 0.62]; // of a drawing's unit, shares of the side

const within = (v, [low, high]) => Math.min(high, Math.max(low, v));

/** The scene with its chosen thing changed. */
export function changedThing(scene, change) {
  const things = scene.things.map((thing, i) =>
    i === scene.chosen ? { ...thing, ...change(thing) } : thing,
  );
  return { ...scene, things };
}

/** The chosen thing elsewhere, its centre still in the picture. */
export const movedTo = (scene, x, y) =>
  changedThing(scene, () => ({ x: within(x, [0, 1]), y: within(y, [0, 1]) }));

/** ... so many steps to the right and down. */
export function stepped(scene, right, down) {
  const { x, y } = scene.things[scene.chosen];
  return movedTo(scene, x + STEP * right, y + STEP * down);
}

const sized = (scene, factor) =>
  changedThing(scene, ({ size }) => ({ size: within(size * factor, SIZES) }));

function removed(scene) {
  const things = scene.things.filter((_, i) => i !== scene.chosen);
  return { ...scene, things, chosen: 0 };
}

function added(scene, sprite) {
  const things = [...scene.things, { sprite, x: 0.5, y: 0.6, size: 0.36, flip: false }];
  return { ...scene, things, chosen: things.length - 1 };
}

/** What the buttons do to the chosen thing: text, its words where it has none, change. */
const ACTS = [
  ["←", "to the left", (s) => stepped(s, -1, 0)],
  ["↑", "up", (s) => stepped(s, 0, -1)],
  ["↓", "down", (s) => stepped(s, 0, 1)],
  ["→", "to the right", (s) => stepped(s, 1, 0)],
  ["Smaller", null, (s) => sized(s, 1 / LARGER)],
  ["Larger", null, (s) => sized(s, LARGER)],
  ["Turn round", null, (s) => changedThing(s, ({ flip }) => ({ flip: !flip }))],
];

function actButton(view, [text, name, change]) {
  const press = button(text, () => view.change(change(view.scene)));
  if (name === null) return press;
  press.setAttribute("aria-label", name);
  press.setAttribute("title", name);
  return press;
}

/** Buttons for the chosen thing. */
function thingBar(view) {
  const who = make("strong", { class: "wt-who" });
  const next = button("Next thing", () => {
    const { things, chosen } = view.scene;
    view.choose((chosen + 1) % things.length);
  });
  const away = button("Take away", () => {
    if (view.scene.things.length === 1)
      return view.say("One thing must stay: without any there is nothing to find.");
    view.change(removed(view.scene));
  });
  const acts = ACTS.map((act) => actButton(view, act));
  const attributes = { class: "wt-acts", role: "group", "aria-label": "the chosen thing" };
  return { element: make("div", attributes, who, next, ...acts, away), who };
}

/** @returns `element` and `draw()`. */
export function sceneBar(view) {
  const { grounds, sprites } = view;
  const ground = choice(
    "Ground",
    grounds.map(({ name }, i) => [i, name]),
    view.scene.ground,
    (v) => view.change({ ...view.scene, ground: Number(v) }),
  );
  const options = sprites.map(({ k, variant }, i) => [i, `${view.names[k]} ${variant}`]);
  const what = choice("Add", options, 0, (v) => {
    wanted = Number(v);
  });
  let wanted = 0;
  const add = button("Add it", () => {
    if (view.scene.things.length >= MOST)
      return view.say(`${MOST} things are the most; take one away first.`);
    view.change(added(view.scene, wanted));
  });
  const undo = button("Undo", view.undo);
  const { element: acts, who } = thingBar(view);
  const element = make(
    "div",
    {},
    make("div", { class: "wt-bar" }, ground, what, add, undo),
    acts,
  );
  function draw() {
    ground.show(view.scene.ground);
    who.textContent = view.thingName(view.scene.chosen);
    undo.setAttribute("aria-disabled", !view.past.length);
  }
  return { element, draw };
}
