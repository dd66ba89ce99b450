// Review: photo after photo; what is said of one leaves by the trait "decision" at once.

import {
  button,
  classLegend,
  connect,
  drawLabels,
  drawPixels,
  followPage,
  loadImage,
  make,
  patchAt,
  percent,
  photoPixels,
  range,
  STYLE,
  strip,
  unpack,
} from "./shared.js";

const STEPS = 100;
const UNSAID = { tags: null, excluded: false, threshold: null, point: null };

async function render({ model, el }) {
  const data = model.get("data");
  const view = { model, data };
  view.photos = await Promise.all(data.photos.map(open));
  Object.assign(
    view,
    connect(model, ["photo", "decisions"], () => draw(view)),
  );
  view.parts = { ...pictures(view), ...fields(view) };
  const root = layout(view);
  el.replaceChildren(root);
  const unsaved = () => {
    view.parts.saved.textContent =
      "NOT SAVED: the command that shows this page has ended. Start it again and reload; " +
      "what was saved before is kept.";
  };
  document.addEventListener("wt-unsaved", unsaved);
  draw(view);
  const leave = followPage("review", root, view);
  return () => {
    document.removeEventListener("wt-unsaved", unsaved);
    leave();
    view.stop();
  };
}

async function open(photo) {
  const [best, beaten] = await Promise.all([photo.best, photo.beaten].map(unpack));
  return {
    ...photo,
    best,
    beaten,
    pixels: photoPixels(await loadImage(photo.jpeg), photo.grid),
  };
}

// ---- what is said

const photoOf = (view) => view.photos[view.at("photo", view.photos.length)];
const namesOf = ({ data }, tags) => tags.map((k) => data.names[k + 1]);

/** All that was said, by name of the photo. */
function everything({ model }) {
  try {
    return JSON.parse(model.get("decisions"));
  } catch {
    return {}; // Python may set anything
  }
}

/** What holds of a photo: what was said, else nothing but its tags. */
const saidOf = (view, photo) =>
  everything(view)[photo.name] ?? { photo: photo.name, tags: null };

const tagsOf = (view, photo) => saidOf(view, photo).tags ?? namesOf(view, photo.tags);

/** Say something of the photo that is shown; the other side stores it. */
function say(view, values, step = 0) {
  const photo = photoOf(view);
  const decision = { ...saidOf(view, photo), reviewed: true, ...values };
  const decisions = JSON.stringify({ ...everything(view), [photo.name]: decision });
  const place = (view.at("photo", view.photos.length) + step) % view.photos.length;
  view.parts.saved.textContent = "";
  view.set({ decisions, photo: place });
}

function turn(view, name, on) {
  const tags = tagsOf(view, photoOf(view)).filter((it) => it !== name);
  say(view, { tags: on ? [...tags, name] : tags });
}

// ---- labels

/** Labels at a photo's own threshold, its point kept. */
function labelsOf(view, photo) {
  const said = saidOf(view, photo);
  const step = Math.round(STEPS * (said.threshold ?? view.data.threshold));
  const tags = new Set(tagsOf(view, photo));
  const labels = photo.best.map((label, i) =>
    photo.beaten[i] > step && tags.has(view.data.names[label]) ? label : 0,
  );
  return said.point ? keepPiece(labels, photo.grid, said.point) : labels;
}

/** Of the class at a point, the piece there only; neighbours at corners count. */
function keepPiece(labels, [h, w], point) {
  const start =
    Math.min(Math.floor(point[0] * h), h - 1) * w +
    Math.min(Math.floor(point[1] * w), w - 1);
  const value = labels[start];
  if (!value) return labels;
  const kept = new Uint8Array(labels.length);
  const waiting = [start];
  kept[start] = 1;
  while (waiting.length) {
    for (const next of around(waiting.pop(), h, w)) {
      if (kept[next] || labels[next] !== value) continue;
      kept[next] = 1;
      waiting.push(next);
    }
  }
  return labels.map((label, i) => (label === value && !kept[i] ? 0 : label));
}

function around(i, h, w) {
  const [row, column] = [Math.floor(i / w), i % w];
  const found = [];
  for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, h - 1); r++)
    for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, w - 1); c++)
      found.push(r * w + c);
  return found;
}

// ---- what the page consists of

function pictures(view) {
  const big = make("canvas", { role: "img" });
  big.addEventListener("click", (event) => {
    const point = patchAt(event, big, [1, 1]).map((v) => Math.min(Math.max(v, 0), 1));
    say(view, { point });
  });
  const names = view.photos.map((photo) => photo.name);
  const small = strip(names, (photo) => view.set({ photo }));
  view.photos.forEach(({ pixels, grid }, i) => {
    drawPixels(small.canvases[i], grid, (n) => pixels.subarray(4 * n, 4 * n + 3));
  });
  return {
    big,
    small,
    key: make("div"),
    say: make("p", { class: "wt-say", "aria-live": "polite" }),
    saved: make("p", { class: "wt-saved", role: "alert" }),
  };
}

function fields(view) {
  const { data } = view;
  const boxes = data.names.slice(1).map((name) => {
    const box = make("input", {
      type: "checkbox",
      onchange: () => turn(view, name, box.checked),
    });
    const sure = make("span", { class: "wt-note" });
    const field = make("label", { class: "wt-field" }, box, ` ${name} `, sure);
    return { box, sure, field };
  });
  return {
    boxes,
    slider: range("Background score of this photo", { min: 0, max: STEPS, step: 1 }, (n) =>
      say(view, { threshold: n / STEPS }),
    ),
    keep: button("Keep, next", () => say(view, { excluded: false }, 1)),
    out: button("Leave out, next", () => say(view, { excluded: true }, 1)),
    back: button("As it was", () => say(view, { ...UNSAID, reviewed: false })),
  };
}

function layout(view) {
  const { parts } = view;
  const bar = (...children) => make("div", { class: "wt-bar" }, ...children);
  const note = make(
    "p",
    { class: "wt-note" },
    "Each choice is stored at once. Press in the picture to keep only that piece of its class. " +
      "A tag that is ticked anew has no map before the next training.",
  );
  return make(
    "div",
    { class: "wt wt-review" },
    make("style", {}, STYLE + REVIEW_STYLE),
    bar(parts.keep, parts.out, parts.back, view.undoField),
    make(
      "div",
      { class: "wt-main" },
      make("div", { class: "wt-big wt-stay" }, parts.big, parts.key),
      make(
        "div",
        { class: "wt-side" },
        make(
          "fieldset",
          {},
          make("legend", {}, "Tags, and how sure the network is of each"),
          ...parts.boxes.map((it) => it.field),
        ),
        bar(parts.slider),
        note,
      ),
    ),
    parts.say,
    parts.saved,
    parts.small.element,
  );
}

const REVIEW_STYLE = `
.wt-review .wt-main > * { flex: 1 1 280px; min-width: 0; }
.wt-review fieldset { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr));
  gap: 4px 12px; border: 1px solid var(--wt-line); border-radius: 6px; margin: 0 0 10px;
  max-height: 380px; overflow-y: auto; }
.wt-review legend { grid-column: 1 / -1; float: none; width: auto; margin: 0; padding: 0 4px;
  font: inherit; font-weight: 600; }
.wt-review .wt-note { margin: 0; }
.wt-review .wt-strip { grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
.wt-review .wt-strip canvas.wt-done { outline: 3px solid var(--wt-good); }
`;

// ---- drawing

function draw(view) {
  const { parts, data } = view;
  const photo = photoOf(view);
  const said = saidOf(view, photo);
  const tags = new Set(tagsOf(view, photo));
  const labels = labelsOf(view, photo);
  drawLabels(parts.big, photo.pixels, labels, photo.grid, data.colours);
  parts.boxes.forEach(({ box, sure }, k) => {
    box.checked = tags.has(data.names[k + 1]);
    sure.textContent = percent(photo.sure[k]);
  });
  const threshold = said.threshold ?? data.threshold;
  parts.slider.show(Math.round(STEPS * threshold), threshold.toFixed(2));
  parts.small.show(view.at("photo", view.photos.length));
  const all = everything(view);
  view.photos.forEach(({ name }, i) => {
    const done = Boolean(all[name]?.reviewed);
    parts.small.canvases[i].classList.toggle("wt-done", done);
  });
  const shown = [...new Set(labels)].filter((it) => it);
  parts.key.replaceChildren(classLegend(shown, data.names, data.colours));
  const words = sentence(view, photo, said, labels);
  parts.say.textContent = words;
  parts.big.setAttribute("aria-label", words);
}

function sentence(view, photo, said, labels) {
  const place = view.at("photo", view.photos.length) + 1;
  const done = Object.values(everything(view)).filter((it) => it.reviewed).length;
  const share = labels.reduce((n, label) => n + (label > 0), 0) / labels.length;
  const state = said.excluded ? " It is left out." : "";
  const point = said.point ? " Only the piece at your point is kept." : "";
  return (
    `${photo.name}, ${place} of ${view.photos.length}; ${done} reviewed. ` +
    `${percent(share)} of the pixels go to a class.${point}${state}`
  );
}

export default { render };
