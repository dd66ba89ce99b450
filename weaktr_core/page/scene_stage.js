// The scene itself, on a canvas that is dragged in, or stepped in with arrow keys.

import { ARROWS, make, onDrag, patchAt } from "../widgets/shared.js";
import { movedTo, stepped } from "./scene_bar.js";
import { drawScene, markThing, SIDE, thingAt } from "./scene_canvas.js";

/** [x, y] under the pointer, in shares of the side. */
function placeOf(event, canvas) {
  const [y, x] = patchAt(event, canvas, [1, 1]);
  return [x, y];
}

/** A thing is taken where it is touched, and follows. */
function takeAndMove(view, canvas) {
  const under = (event) => thingAt(view.scene.things, view.sprites, placeOf(event, canvas));
  let grip = null; // from the pointer to the thing's centre; `before` it was moved
  canvas.addEventListener("pointerdown", (event) => {
    const found = under(event);
    grip = null;
    if (found < 0) return;
    const [x, y] = placeOf(event, canvas);
    const thing = view.scene.things[found];
    view.choose(found);
    grip = { x: thing.x - x, y: thing.y - y, before: view.scene };
  });
  onDrag(canvas, (event) => {
    if (!grip) return;
    const [x, y] = placeOf(event, canvas);
    const next = movedTo(view.scene, x + grip.x, y + grip.y);
    const [now, then] = [view.scene, next].map((s) => s.things[s.chosen]);
    if (Math.hypot(then.x - now.x, then.y - now.y) < 0.002) return;
    if (grip.before) view.past.push(grip.before);
    grip.before = null;
    view.change(next, false);
  });
  // a finger on a thing moves it; elsewhere it scrolls the page
  const hold = (event) => under(event.touches[0]) >= 0 && event.preventDefault();
  canvas.addEventListener("touchstart", hold, { passive: false });
}

/** @returns `canvas` and `draw()`. */
export function stage(view) {
  const canvas = make("canvas", {
    tabindex: "0",
    role: "application",
    width: SIDE,
    height: SIDE,
    class: "wt-scene",
    onkeydown: (event) => {
      const move = ARROWS[event.key];
      if (!move) return;
      event.preventDefault();
      view.change(stepped(view.scene, move[1], move[0]));
    },
  });
  takeAndMove(view, canvas);
  const draw = () => {
    const { ground, things, chosen } = view.scene;
    const { image, name } = view.grounds[ground];
    canvas.getContext("2d").drawImage(drawScene(image, things, view.sprites), 0, 0);
    markThing(canvas, things[chosen], view.sprites);
    const all = things.map((_, i) => view.thingName(i)).join(", ");
    canvas.setAttribute(
      "aria-label",
      `Ground: ${name}; on it: ${all}. Arrow keys move the ${view.thingName(chosen)}.`,
    );
  };
  return { canvas, draw };
}
