// What every explorer uses; put in front of its module when that is read.

async function unpack({ data, shape }) {
  // "zlib:<base64>" of uint8, row-major -> Uint8Array
  const bytes = Uint8Array.from(atob(data.slice(5)), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  const open = stream.pipeThrough(new DecompressionStream("deflate"));
  const flat = new Uint8Array(await new Response(open).arrayBuffer());
  const expected = shape.reduce((a, b) => a * b, 1);
  if (flat.length !== expected) throw new Error("expected " + expected + " values");
  return flat;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function choice(label, options, value, change) {
  // a labelled <select> of [value, text] pairs
  const select = make("select", { onchange: () => change(select.value) });
  for (const [key, text] of options) select.append(make("option", { value: key }, text));
  select.value = value;
  return make("label", { class: "wt-field" }, label + " ", select);
}

function setSize(canvas, width, height) {
  // a new size costs a new buffer, even if it is the old size
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

function fade(photo) {
  // less colour in the photo leaves colour to the map; made once
  if (photo.faded) return photo.faded;
  const canvas = make("canvas"), context = canvas.getContext("2d");
  // fine enough for sharp edges of patches
  const scale = Math.max(1, 720 / Math.max(photo.naturalWidth, photo.naturalHeight));
  canvas.width = Math.max(1, Math.round(photo.naturalWidth * scale));
  canvas.height = Math.max(1, Math.round(photo.naturalHeight * scale));
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "saturation";
  context.fillStyle = "rgba(128, 128, 128, 0.45)";
  context.fillRect(0, 0, canvas.width, canvas.height);
  photo.faded = canvas;
  return canvas;
}

function drawMap(canvas, values, [h, w]) {
  // one pixel per patch, values 0..255, coloured by HEAT
  setSize(canvas, w, h);
  const context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  for (let i = 0; i < h * w; i++) {
    const colour = HEAT[values[i]];
    image.data[4 * i] = colour[0];
    image.data[4 * i + 1] = colour[1];
    image.data[4 * i + 2] = colour[2];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function drawOverlay(canvas, photo, values, grid, marked) {
  // photo with the map on it; `marked` is the index of a patch to frame, or null
  const [h, w] = grid;
  const below = fade(photo);
  setSize(canvas, below.width, below.height);
  // a tall photo must not become an endless column
  canvas.style.maxWidth = Math.round((520 * canvas.width) / canvas.height) + "px";
  const context = canvas.getContext("2d");
  context.drawImage(below, 0, 0);
  // whole pixels: between two half covered ones a seam would show
  const x = (i) => Math.round((i * canvas.width) / w);
  const y = (i) => Math.round((i * canvas.height) / h);
  const place = (i) => {
    const [row, column] = [Math.floor(i / w), i % w];
    return [x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row)];
  };
  for (let i = 0; i < h * w; i++) {
    // little attention veils the photo a little, much of it covers the photo
    const [red, green, blue] = HEAT[values[i]];
    context.fillStyle = `rgba(${red}, ${green}, ${blue}, ${0.35 + 0.5 * values[i] / 255})`;
    context.fillRect(...place(i));
  }
  if (marked === null) return;
  for (const [colour, width] of [["#000", 7], ["#7df9ff", 3.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(...place(marked));
  }
}

async function loadImage(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

function connect(model, names, draw) {
  // `set` changes values and draws once, `write` draws nothing; changes that Python makes
  // draw too, until `stop`. Python may set more than there is: `at` stays within it
  let busy = false;
  const heard = () => busy || draw();
  for (const name of names) model.on("change:" + name, heard);
  const write = (values) => {
    busy = true;
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    busy = false;
    model.save_changes();
  };
  const set = (values, ...how) => {
    write(values);
    draw(...how);
  };
  const at = (name, end, least = 0) => Math.min(Math.max(model.get(name), least), end - 1);
  const stop = () => names.forEach((name) => model.off("change:" + name, heard));
  return { set, write, at, stop };
}

function onDrag(canvas, pick) {
  // pick where the pointer is: on click, and while it is dragged (fingers: sideways, for
  // up and down scroll the page); at most one pick a frame
  let down = false, latest = null;
  canvas.addEventListener("click", pick);
  canvas.addEventListener("pointerdown", (event) => { down = event.button === 0; });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => { down = false; });
  canvas.addEventListener("pointermove", (event) => {
    if (!down || !event.buttons) return;
    if (latest === null) requestAnimationFrame(() => { pick(latest); latest = null; });
    latest = event;
    canvas.setPointerCapture(event.pointerId);
  });
}

function glide(elements, change) {
  // elements that `change` puts elsewhere go there visibly, unless motion is unwelcome
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

function heatLegend(low, high) {
  // what the colours mean, from little to much
  const stops = [0, 64, 128, 192, 255].map((v) => `rgb(${HEAT[v].join(",")})`);
  const bar = make("span", { class: "wt-ramp", "aria-hidden": "true" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return make("span", { class: "wt-heat" }, low, bar, high);
}
function nearest(values, wanted) {
  // index of the value that is closest
  let best = 0;
  values.forEach((v, i) => {
    if (Math.abs(v - wanted) < Math.abs(values[best] - wanted)) best = i;
  });
  return best;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function photoPixels(photo, [h, w]) {
  // colours of a photo at a size, four bytes per pixel
  const canvas = make("canvas", { width: w, height: h });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(photo, 0, 0, w, h);
  return context.getImageData(0, 0, w, h).data;
}

function drawPixels(canvas, [h, w], colour) {
  // `colour(i)` is the [red, green, blue] of the i-th pixel, row by row
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  for (let i = 0, k = 0; i < h * w; i++) {
    const [red, green, blue] = colour(i);
    image.data[k++] = red;
    image.data[k++] = green;
    image.data[k++] = blue;
    image.data[k++] = 255;
  }
  context.putImageData(image, 0, 0);
}

function drawLabels(canvas, pixels, labels, grid, colours) {
  // labels in class colours over a dimmed photo, as Python's show_mask mixes them
  drawPixels(canvas, grid, (i) => {
    const label = labels[i], c = label === 255 ? [255, 255, 255] : colours[label];
    const photo = [pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]];
    return label === 0 ? photo.map((v) => Math.floor(0.45 * v)) :
      photo.map((v, k) => Math.floor(0.35 * v + 0.65 * c[k]));
  });
}

function classLegend(ids, names, colours) {
  // a coloured square and a name for each label
  return make("ul", { class: "wt-classes" }, ...ids.map((id) => {
    const swatch = make("span", { class: "wt-swatch", "aria-hidden": "true" });
    swatch.style.background = `rgb(${colours[id].join(",")})`;
    return make("li", {}, swatch, names[id]);
  }));
}

function tick(label, change) {
  // a labelled checkbox
  const box = make("input", { type: "checkbox", onchange: () => change(box.checked) });
  return make("label", { class: "wt-field" }, box, " " + label);
}

function range(label, attributes, change) {
  // a labelled slider that shows its value; `set(value, text)` moves it from outside
  const slider = make("input", { type: "range", ...attributes,
    oninput: () => change(Number(slider.value)) });
  const output = make("output", { class: "wt-value" });
  const field = make("label", { class: "wt-field wt-range" }, label + " ", slider, output);
  field.show = (value, text) => {
    slider.value = value;
    slider.setAttribute("aria-valuetext", text);
    output.textContent = text;
  };
  return field;
}

const percent = (share) => `${Math.round(100 * share)} %`;

async function unpackRows({ codes, tops, top, values }) {
  // rows that keep their scale: value = scale[row] * values[code]
  const [flat, rough] = await Promise.all([unpack(codes), unpack(tops)]);
  const scale = Float64Array.from(rough, (t) => top * (t / 255) ** 2);
  return { codes: flat, scale, values: Float64Array.from(values) };
}

function toBytes(values) {
  // 0 .. largest value -> 0 .. 255, for drawMap and drawOverlay
  const top = Math.max(values.reduce((a, b) => Math.max(a, b), 0), 1e-30);
  return Uint8Array.from(values, (v) => Math.floor(255 * Math.max(v, 0) / top + 0.5));
}

function heatStyle(share) {
  // background of HEAT at 0..1 and the ink that reads on it
  const colour = HEAT[Math.floor(255 * Math.min(1, Math.max(0, share)) + 0.5)];
  const linear = colour.map((c) => (c / 255 <= 0.04 ? c / 3294 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return `background: rgb(${colour.join(", ")}); color: ${light > 0.18 ? "#000" : "#fff"}`;
}

const STYLE = `
.wt { color-scheme: light; background: #fff; color: #1a1a1a; border: 1px solid #c9c9c9;
  border-radius: 8px; padding: 12px; font: 14px/1.4 system-ui, sans-serif;
  max-width: 100%; box-sizing: border-box; text-align: left; margin: 8px 0;
  overflow-wrap: break-word; }
.wt * { box-sizing: border-box; }
.wt-bar { display: flex; flex-wrap: wrap; gap: 8px 16px; margin-bottom: 10px;
  align-items: center; }
.wt select, .wt button { font: inherit; color: inherit; background: #f4f4f4;
  border: 1px solid #767676; border-radius: 5px; padding: 4px 8px; min-height: 32px; }
.wt-bar > *, .wt-field, .wt select { min-width: 0; max-width: 100%; }
.wt button:hover, .wt select:hover { background: #e6eef8; }
.wt :focus-visible { outline: 3px solid #0b62c4; outline-offset: 1px; }
.wt-main { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.wt-big { flex: 1 1 300px; min-width: 0; max-width: 460px; }
.wt-big canvas { width: 100%; height: auto; display: block; border-radius: 4px;
  cursor: crosshair; touch-action: pan-y; }
.wt-grid { display: grid; gap: 2px; flex: 1 1 280px; min-width: 0; max-width: 420px; }
.wt .wt-grid button { padding: 0; border: 2px solid transparent; border-radius: 4px;
  min-height: 0; background: none; line-height: 0; }
.wt .wt-grid button[aria-pressed="true"] { border-color: #0b62c4; background: #0b62c4; }
.wt-grid canvas { width: 100%; image-rendering: pixelated; display: block; }
.wt-say { min-height: 2.8em; margin: 8px 0 0; }
.wt-note { color: #555; font-size: 13px; margin: 6px 0 0; }
.wt-heat { display: inline-flex; align-items: center; gap: 6px; font-size: 13px;
  color: #555; white-space: nowrap; }
.wt-ramp { width: 72px; height: 10px; border-radius: 5px; border: 1px solid #767676; }
.wt input[type=range] { vertical-align: middle; accent-color: #0b62c4; }
.wt input[type=checkbox] { width: 18px; height: 18px; vertical-align: -4px; margin: 0 4px 0 0;
  accent-color: #0b62c4; }
@media (pointer: coarse) { .wt select, .wt .wt-bar button { min-height: 40px; } }
.wt-value { display: inline-block; min-width: 3.2em; margin-left: 6px;
  font-variant-numeric: tabular-nums; }
.wt .wt-classes { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px;
  margin: 6px 0 0; padding: 0; }
.wt .wt-classes li { margin: 0; }
.wt-swatch { display: inline-block; width: 13px; height: 13px; margin-right: 5px;
  border: 1px solid #555; vertical-align: -1px; }
`;
