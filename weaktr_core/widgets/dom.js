// Elements: made, labelled, dragged over and moved.

/** An element; attributes that start with "on" are listeners, null leaves one out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** The same for SVG, without listeners. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A button that says what it does. */
export const button = (text, onclick) => make("button", { type: "button", onclick }, text);

/** A labelled <select> of [value, text] pairs; `show(value)` sets it from outside. */
export function choice(label, options, value, change) {
  const select = make("select", { onchange: () => change(select.value) });
  for (const [key, text] of options) select.append(make("option", { value: key }, text));
  const field = make("label", { class: "wt-field" }, `${label} `, select);
  field.show = (wanted) => {
    select.value = wanted;
  };
  field.show(value);
  return field;
}

/** A labelled checkbox; `show(checked, enabled)` sets it from outside. */
export function tick(label, change) {
  const box = make("input", { type: "checkbox", onchange: () => change(box.checked) });
  const field = make("label", { class: "wt-field" }, box, ` ${label}`);
  field.show = (checked, enabled = true) => {
    box.checked = checked;
    box.disabled = !enabled;
  };
  return field;
}

/** A labelled slider that shows its value; `show(value, text)` sets it from outside. */
export function range(label, attributes, change) {
  const slider = make("input", {
    type: "range",
    ...attributes,
    oninput: () => change(Number(slider.value)),
  });
  const output = make("output", { class: "wt-value" });
  const field = make(
    "label",
    { class: "wt-field wt-range" },
    make("span", {}, label),
    slider,
    output,
  );
  field.show = (value, text, name = label) => {
    slider.value = value;
    slider.setAttribute("aria-valuetext", text);
    output.textContent = text;
    field.firstChild.textContent = name;
  };
  return field;
}

/** Canvases that show maps; pressing one chooses it. `show(i)` marks the chosen one. */
export function strip(names, choose, kind = () => "") {
  const items = names.map((name, i) => {
    const canvas = make("canvas", { class: kind(i) });
    const press = make(
      "button",
      { type: "button", onclick: () => choose(i) },
      canvas,
      make("span", {}, name),
    );
    return { canvas, press };
  });
  const element = make("div", { class: "wt-strip" }, ...items.map((it) => it.press));
  const show = (chosen) =>
    items.forEach(({ press }, i) => press.setAttribute("aria-pressed", i === chosen));
  return { element, canvases: items.map((it) => it.canvas), show };
}

/** Other children; what stands where the focus was has it again. */
export function refill(element, ...children) {
  const stops = () => [...element.querySelectorAll("button, select, input")];
  const had = stops().indexOf(element.getRootNode().activeElement);
  element.replaceChildren(...children);
  if (had >= 0) stops()[had]?.focus({ preventScroll: true });
}

/** Hide an element or show it; if it has the focus then, `next` gets it. */
export function hide(element, hidden, next) {
  const had = element.getRootNode().activeElement === element;
  element.hidden = hidden;
  if (had && hidden) next.focus();
}

/** Arrow keys as [rows down, columns to the right]. */
export const ARROWS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/**
 * Pick where the pointer is: on click, and while it is dragged (fingers: sideways, for up
 * and down scroll the page); at most one pick a frame.
 */
export function onDrag(canvas, pick) {
  let down = false;
  let latest = null;
  canvas.addEventListener("click", pick);
  canvas.addEventListener("pointerdown", (event) => {
    down = event.button === 0;
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => {
      down = false;
    });
  canvas.addEventListener("pointermove", (event) => {
    if (!down || !event.buttons) return;
    if (latest === null)
      requestAnimationFrame(() => {
        pick(latest);
        latest = null;
      });
    latest = event;
    canvas.setPointerCapture(event.pointerId);
  });
}

/** [row, column] under the pointer, in patches from the corner, not rounded. */
export function patchAt(event, canvas, [h, w]) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientY - box.top) / box.height) * h,
    ((event.clientX - box.left) / box.width) * w,
  ];
}

/** Elements that `change` puts elsewhere go there visibly, unless motion is unwelcome. */
export function glide(elements, change) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const before = elements.map((element) => element.getBoundingClientRect());
  change();
  if (still) return;
  elements.forEach((element, i) => {
    const { left, top } = element.getBoundingClientRect();
    const [dx, dy] = [before[i].left - left, before[i].top - top];
    if (!before[i].width || !(dx || dy)) return;
    const from = { transform: `translate(${dx}px, ${dy}px)` };
    element.animate([from, { transform: "none" }], { duration: 350, easing: "ease" });
  });
}
