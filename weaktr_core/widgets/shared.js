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

function drawMap(canvas, values, [h, w]) {
  // one pixel per patch, values 0..255, coloured by HEAT
  canvas.width = w;
  canvas.height = h;
  const context = canvas.getContext("2d");
  const image = context.createImageData(w, h);
  for (let i = 0; i < h * w; i++) {
    const colour = HEAT[values[i]];
    image.data.set([colour[0], colour[1], colour[2], 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function drawOverlay(canvas, photo, values, grid, marked) {
  // photo with the map on it; `marked` is the index of a patch to frame, or null
  const [h, w] = grid;
  canvas.width = photo.naturalWidth;
  canvas.height = photo.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(photo, 0, 0);
  const [a, b] = [canvas.width / w, canvas.height / h];
  for (let i = 0; i < h * w; i++) {
    // little attention veils the photo a little, much of it covers the photo
    const [red, green, blue] = HEAT[values[i]];
    context.fillStyle = `rgba(${red}, ${green}, ${blue}, ${0.35 + 0.5 * values[i] / 255})`;
    const [x, y] = [(i % w) * a, Math.floor(i / w) * b];
    context.fillRect(x, y, a, b);
  }
  if (marked === null) return;
  const corner = [(marked % w) * a, Math.floor(marked / w) * b];
  for (const [colour, width] of [["#000", 5], ["#7df9ff", 2.5]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(corner[0], corner[1], a, b);
  }
}

async function loadImage(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
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

function legend(ids, names, colours) {
  // a coloured square and a name for each label
  return make("ul", { class: "wt-legend" }, ...ids.map((id) => {
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

const STYLE = `
.wt { color-scheme: light; background: #fff; color: #1a1a1a; border: 1px solid #c9c9c9;
  border-radius: 8px; padding: 12px; font: 14px/1.4 system-ui, sans-serif;
  max-width: 100%; box-sizing: border-box; text-align: left; margin: 8px 0; }
.wt * { box-sizing: border-box; }
.wt-bar { display: flex; flex-wrap: wrap; gap: 8px 16px; margin-bottom: 10px;
  align-items: center; }
.wt select, .wt button { font: inherit; color: inherit; background: #f4f4f4;
  border: 1px solid #767676; border-radius: 5px; padding: 4px 8px; min-height: 32px; }
.wt button:hover, .wt select:hover { background: #e6eef8; }
.wt :focus-visible { outline: 3px solid #0b62c4; outline-offset: 1px; }
.wt-main { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.wt-big { flex: 1 1 300px; min-width: 0; max-width: 460px; }
.wt-big canvas { width: 100%; height: auto; display: block; border-radius: 4px;
  cursor: crosshair; touch-action: manipulation; }
.wt-grid { display: grid; gap: 2px; flex: 1 1 280px; min-width: 0; max-width: 420px; }
.wt .wt-grid button { padding: 0; border: 2px solid transparent; border-radius: 4px;
  min-height: 0; background: none; line-height: 0; }
.wt .wt-grid button[aria-pressed="true"] { border-color: #0b62c4; background: #0b62c4; }
.wt-grid canvas { width: 100%; image-rendering: pixelated; display: block; }
.wt-say { min-height: 2.8em; margin: 8px 0 0; }
.wt-note { color: #555; font-size: 13px; margin: 6px 0 0; }
.wt input[type=range], .wt input[type=checkbox] { vertical-align: middle;
  accent-color: #0b62c4; }
.wt input[type=checkbox] { width: 18px; height: 18px; }
.wt-value { display: inline-block; min-width: 3.2em; margin-left: 6px;
  font-variant-numeric: tabular-nums; }
.wt .wt-legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px;
  margin: 6px 0 0; padding: 0; }
.wt .wt-legend li { margin: 0; }
.wt-swatch { display: inline-block; width: 13px; height: 13px; margin-right: 5px;
  border: 1px solid #555; vertical-align: -1px; }
`;
