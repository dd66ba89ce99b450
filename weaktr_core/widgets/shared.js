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
`;
