// The one button that lets a network come, and how far it is on its way.

import { button, hide, make } from "../widgets/shared.js";

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * @param session see session.js.
 * @param network the packed network, for its size.
 * @param words what the button offers, its size in place of "%".
 * @param view with `say(text)`, `draw()`, `next()`, what gets the focus when the button goes,
 *   and `arrived()`, called when the network is here.
 * @returns `element`, `start()` and `draw()`.
 */
export function loadBar(session, network, words, view) {
  const size = megabytes(network.bytes);
  const press = button(words.replace("%", size), start);
  press.classList.add("wt-main-button");
  const bar = make("progress", { max: network.bytes, value: 0, hidden: "" });
  bar.setAttribute("aria-label", "the network is coming");

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
      view.say(
        "The network is here. It stays in this browser, and so does all that you show it.",
      );
    } catch (error) {
      view.say(`The network could not be loaded: ${error.message}.`);
    }
    bar.hidden = true;
    view.draw();
    if (session.network === "here") await view.arrived();
  }

  function draw() {
    hide(press, session.network === "here", view.next());
    press.setAttribute("aria-disabled", session.network === "coming");
  }
  if (location.protocol !== "file:")
    session.kept().then((kept) => {
      if (kept) press.textContent = "Start the network (it is in this browser already)";
    });
  return { element: make("div", { class: "wt-bar" }, press, bar), start, draw };
}
