// Fusion mixer: a weight per head, painted by hand; maps, mask and mIoU follow.

const STAGE_NAMES = {
  cross_attention: "cross-attention map", cam: "CAM", fine_cam: "fine CAM",
};
const CUTS = 101; // thresholds of the sweep: 0, 0.01, … 1

function weighted(rows, weights, width, perHead) {
  // Σ w·row over heads: rows (heads, perHead, width) -> perHead·width numbers
  const total = new Float64Array(perHead * width);
  const { codes, scale, values } = rows;
  for (let head = 0; head < weights.length; head++) {
    if (weights[head] === 0) continue;
    for (let r = 0; r < perHead; r++) {
      const row = head * perHead + r, from = row * width, to = r * width;
      const factor = weights[head] * scale[row] / weights.length;
      for (let n = 0; n < width; n++) total[to + n] += factor * values[codes[from + n]];
    }
  }
  return total;
}

function fuse(p, weights, cap) {
  // the three maps of a photo, each (classes, patches)
  const count = p.count, classes = p.classes.length;
  const cross = weighted(p.crossRows, weights, count, classes);
  for (let c = 0; cap !== null && c < classes; c++) {
    const row = cross.subarray(c * count, (c + 1) * count);
    const most = cap * row.reduce((a, b) => a + b, 0) / count;
    for (let n = 0; n < count; n++) row[n] = Math.min(row[n], most);
  }
  const cam = cross.map((v, i) => v * p.coarseMap[i]);
  if (!p.patchRows) return { cross_attention: cross, cam };
  const affinity = weighted(p.patchRows, weights, count, count);
  const fine = new Float64Array(classes * count);
  for (let c = 0; c < classes; c++)
    for (let n = 0; n < count; n++) {
      let sum = 0;
      for (let m = 0; m < count; m++) sum += affinity[n * count + m] * cam[c * count + m];
      fine[c * count + n] = sum;
    }
  return { cross_attention: cross, cam, fine_cam: fine };
}

function places(from, to) {
  // bilinear resampling of `from` cells to `to`: below, above, share of above
  return Array.from({ length: to }, (_, i) => {
    const x = Math.max(0, (i + 0.5) * from / to - 0.5), low = Math.floor(x);
    return [low, Math.min(low + 1, from - 1), x - low];
  });
}

function enlarge(map, [h, w], rows, columns) {
  const wide = new Float64Array(h * columns.length);
  for (let y = 0; y < h; y++)
    columns.forEach(([a, b, s], x) => {
      wide[y * columns.length + x] = map[y * w + a] * (1 - s) + map[y * w + b] * s;
    });
  const all = new Float64Array(rows.length * columns.length);
  rows.forEach(([a, b, s], y) => {
    for (let x = 0; x < columns.length; x++)
      all[y * columns.length + x] =
        wide[a * columns.length + x] * (1 - s) + wide[b * columns.length + x] * s;
  });
  return all;
}

function bestClass(p, maps) {
  // per pixel of the mask the class with the highest score of 0..1, and that score
  const size = p.mask.shape[0] * p.mask.shape[1];
  const best = new Uint8Array(size), score = new Float64Array(size).fill(-1);
  for (let c = 0; c < p.classes.length; c++) {
    const map = maps.subarray(c * p.count, (c + 1) * p.count);
    const full = enlarge(map, p.grid, p.rows, p.columns);
    let low = Infinity, high = -Infinity;
    for (const v of full) { low = Math.min(low, v); high = Math.max(high, v); }
    for (let i = 0; i < size; i++) {
      const value = (full[i] - low) / (high - low + 1e-8);
      if (value > score[i]) { score[i] = value; best[i] = c + 1; }
    }
  }
  return { best, score };
}

function sweep(p, { best, score }) {
  // mIoU at every threshold, over background and classes, from one pass over the pixels
  const size = p.classes.length + 1;
  const beaten = new Float64Array(size * size * (CUTS + 1));
  const truths = new Float64Array(size);
  for (let i = 0; i < best.length; i++) {
    const truth = p.truth[i];
    if (truth === 255) continue;
    const count = Math.min(CUTS, Math.max(0, Math.ceil(score[i] * (CUTS - 1) - 1e-9)));
    beaten[(truth * size + best[i]) * (CUTS + 1) + count]++;
    truths[truth]++;
  }
  const all = truths.reduce((a, b) => a + b, 0), above = new Float64Array(size * size);
  const miou = new Float64Array(CUTS);
  for (let cut = CUTS - 1; cut >= 0; cut--) {
    for (let k = 0; k < size * size; k++) above[k] += beaten[k * (CUTS + 1) + cut + 1];
    miou[cut] = meanIou(above, truths, all, size);
  }
  return miou;
}

function meanIou(above, truths, all, size) {
  // `above` counts pixels called a class by (truth, guess); what is left is background
  let sum = 0, seen = 0, ground = all, missed = truths[0];
  for (let g = 1; g < size; g++) {
    let guessed = 0;
    for (let t = 0; t < size; t++) guessed += above[t * size + g];
    ground -= guessed;
    missed -= above[g];
    const union = truths[g] + guessed - above[g * size + g];
    if (union > 0) { sum += above[g * size + g] / union; seen++; }
  }
  const union = truths[0] + ground - missed;
  if (union > 0) { sum += missed / union; seen++; }
  return seen ? sum / seen : 0;
}

function peak(miou) {
  return miou.reduce((best, v, i) => (v > miou[best] ? i : best), 0);
}

function paintLabels(canvas, labels, [height, width], colours) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < labels.length; i++) {
    const colour = labels[i] === 255 ? [255, 255, 255] : labels[i] ? colours[labels[i] - 1] : [0, 0, 0];
    image.data.set([...colour, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

async function opened(p) {
  // a photo with its arrays unpacked
  const [crossRows, patchRows, coarse, truth, image] = await Promise.all([
    unpackRows(p.cross), p.patch && unpackRows(p.patch), unpackRows(p.coarse),
    unpack(p.mask), loadImage(p.jpeg)]);
  const count = p.grid[0] * p.grid[1];
  const coarseMap = Float64Array.from(coarse.codes,
    (code, i) => coarse.scale[Math.floor(i / count)] * coarse.values[code]);
  return { ...p, count, crossRows, patchRows, coarseMap, truth, image,
    rows: places(p.grid[0], p.mask.shape[0]), columns: places(p.grid[1], p.mask.shape[1]) };
}

async function render({ model, el }) {
  const data = model.get("data");
  const [layers, heads] = data.shape, total = layers * heads;
  const TRAITS = ["weights", "photo", "shown", "stage", "threshold", "follow", "solo"];
  const { set, write, at, stop } = connect(model, TRAITS, draw);
  const equal = () => new Array(total).fill(1);
  const photoNow = () => at("photo", data.photos.length), soloNow = () => at("solo", total, -1);
  const cutNow = () => Math.min(1, Math.max(0, model.get("threshold")));
  const stageNow = () =>
    data.stages.find((stage) => stage === model.get("stage")) || data.stages.at(-1);
  const weightsNow = () => equal().map((one, i) => model.get("weights")[i] ?? one);
  const waiting = [], photos = []; // opened when they are first wanted
  async function open(index) {
    waiting[index] = waiting[index] || opened(data.photos[index]);
    photos[index] = await waiting[index];
  }
  await open(photoNow());
  const scores = new Map(); // "who photo stage" -> mIoU
  const record = new Map(); // "photo stage" -> { score, weights }
  const muted = new Map(); // head -> its weight before
  let brush = 0, mode = "paint", gesture = null, draws = 0, timer = 0;

  const heard = () =>
    (soloNow() < 0 ? weightsNow() : equal().map((_, i) => (i === soloNow() ? 1 : 0)));
  const headName = (i) => `layer ${Math.floor(i / heads) + 1}, head ${(i % heads) + 1}`;
  const limit = (v) => Math.round(100 * Math.min(data.top, Math.max(0, v))) / 100;
  const per = (v) => (v === undefined ? "…" : (100 * v).toFixed(1));
  const key = (who, index) => [who, index, stageNow()].join(" ");

  function paint(changes, quiet) {
    const weights = weightsNow();
    for (const [i, value] of changes) { weights[i] = limit(value); muted.delete(i); }
    set({ weights, solo: -1 }, quiet);
  }
  function mute(i) {
    const weights = weightsNow();
    if (muted.has(i)) {
      weights[i] = muted.get(i);
      muted.delete(i);
    } else {
      muted.set(i, weights[i]);
      weights[i] = 0;
    }
    set({ weights, solo: -1 });
  }
  const solo = (i) => set({ solo: soloNow() === i ? -1 : i });
  function load(weights) {
    muted.clear();
    set({ weights: [...weights], solo: -1 });
  }
  function reset() {
    record.clear();
    load(equal());
  }
  const lastLayer = () => equal().map((_, i) => (i >= total - heads ? 1 : 0));
  function loadBest() {
    const best = record.get(key("best", photoNow()));
    if (best) load(best.weights);
  }

  // ---- the heads
  const cells = Array.from({ length: total }, (_, i) => make("button", {
    type: "button", onkeydown: (event) => press(event, i), onfocus: () => { current = i; rove(); },
    onclick: (event) => event.detail === 0 && paint([[i, brush]]),
  }));
  let current = total - heads;
  const faders = make("div", { class: "wt-faders", role: "group",
    "aria-label": "weights of all heads, layers down, heads across",
    onpointerdown: begin, onpointermove: move, onpointerup: end, onpointercancel: end });
  faders.style.gridTemplateColumns = `auto repeat(${heads}, 1fr)`;
  for (let layer = 0; layer < layers; layer++) {
    const own = Array.from({ length: heads }, (_, h) => layer * heads + h);
    faders.append(make("button", { type: "button", class: "wt-layer",
      "aria-label": `paint all of layer ${layer + 1}`, title: `paint all of layer ${layer + 1}`,
      onclick: () => paint(own.map((i) => [i, brush])) }, String(layer + 1)),
    ...own.map((i) => cells[i]));
  }
  function cellAt(event) {
    const under = document.elementFromPoint(event.clientX, event.clientY);
    // inside a shadow root the page only sees its host
    const inner = under && under.shadowRoot ?
      under.shadowRoot.elementFromPoint(event.clientX, event.clientY) : under;
    return cells.indexOf(inner);
  }
  function begin(event) {
    const i = cellAt(event);
    if (i < 0 || event.button !== 0) return;
    event.preventDefault();
    cells[i].focus({ preventScroll: true });
    faders.setPointerCapture(event.pointerId);
    gesture = { i, y: event.clientY, from: weightsNow()[i] };
    if (mode === "paint") paint([[i, brush]], true);
  }
  function move(event) {
    if (!gesture) return;
    const i = mode === "paint" ? cellAt(event) : gesture.i;
    const value = mode === "paint" ? brush :
      gesture.from + (gesture.y - event.clientY) / 100 * data.top;
    if (i >= 0 && weightsNow()[i] !== limit(value)) {
      current = i;
      paint([[i, value]], true);
    }
  }
  function end() {
    if (!gesture) return;
    gesture = null;
    draw();
  }
  function press(event, i) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const value = weightsNow()[i];
    const steps = { "+": 0.1, "=": 0.1, PageUp: 0.1, "-": -0.1, PageDown: -0.1 };
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -heads, ArrowDown: heads };
    if (event.key in steps) paint([[i, value + steps[event.key]]]);
    else if (event.key === "Home") paint([[i, 0]]);
    else if (event.key === "End") paint([[i, data.top]]);
    else if (event.key === "m") mute(i);
    else if (event.key === "s") solo(i);
    else if (event.key in moves) {
      const to = i + moves[event.key];
      const wraps = Math.abs(moves[event.key]) === 1 &&
        Math.floor(to / heads) !== Math.floor(i / heads);
      if (to >= 0 && to < total && !wraps) cells[to].focus();
    } else return;
    event.preventDefault();
  }
  const rove = () => cells.forEach((b, i) => b.setAttribute("tabindex", i === current ? "0" : "-1"));

  // ---- controls
  const button = (text, onclick) => make("button", { type: "button", onclick }, text);
  const classField = make("span");
  let classesOf = null; // the photo whose classes the field offers
  const photoField = choice("Picture", data.photos.map((p, i) => [i, p.name]), photoNow(),
    (v) => set({ photo: Number(v), shown: 0 }));
  const brushText = make("output", {}, "0.0");
  const brushField = make("input", { type: "range", min: 0, max: data.top, step: 0.1, value: 0,
    oninput: () => { brush = Number(brushField.value); brushText.textContent = brush.toFixed(1); } });
  const modeField = choice("Dragging", [["paint", "paints with the brush"],
    ["fade", "moves one head up or down"]], mode, (v) => { mode = v; });
  const cutText = make("output", {});
  const cutField = make("input", { type: "range", min: 0, max: 1, step: 0.01,
    oninput: () => set({ threshold: Number(cutField.value), follow: false }) });
  const followField = make("input", { type: "checkbox",
    onchange: () => set({ follow: followField.checked }) });
  const act = (what) => () => what(current);

  // ---- pictures
  const big = make("canvas", { role: "img" });
  const stages = {};
  const figure = (canvas, name) => make("div", { class: "wt-still" }, canvas, make("span", {}, name));
  for (const stage of data.stages) {
    const canvas = make("canvas", { class: "wt-stage-" + stage });
    stages[stage] = { canvas, button: make("button", { type: "button", onclick: () => set({ stage }) },
      canvas, make("span", {}, STAGE_NAMES[stage])) };
  }
  const coarse = make("canvas", { class: "wt-coarse", role: "img", "aria-label": "coarse CAM" });
  const labels = make("canvas", { class: "wt-labels", role: "img" });
  const truth = make("canvas", { class: "wt-truth", role: "img", "aria-label": "true mask" });
  const strip = make("div", { class: "wt-strip" }, figure(coarse, "coarse CAM, given"),
    ...data.stages.map((s) => stages[s].button),
    figure(labels, "cut at the threshold"), figure(truth, "true mask"));
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const tally = make("p", { class: "wt-tally" });
  const board = make("table", { class: "wt-board" });

  // ---- scores
  function scoreOf(index, weights) {
    const p = photos[index], maps = fuse(p, weights, data.cap);
    const miou = sweep(p, bestClass(p, maps[stageNow()]));
    return miou[peak(miou)];
  }
  function keep(index, score, weights) {
    scores.set(key("yours", index), score);
    const best = record.get(key("best", index));
    if (!best || score > best.score) record.set(key("best", index), { score, weights: [...weights] });
  }
  async function settle(turn) {
    // the rest of the board, one score at a time, so that the page stays quick
    for (let index = 0; index < data.photos.length; index++) {
      await open(index);
      const rows = { equal: equal(), learned: data.photos[index].learned, yours: heard() };
      for (const [who, weights] of Object.entries(rows)) {
        if (turn !== draws) return;
        if (scores.has(key(who, index))) continue;
        if (who === "yours") keep(index, scoreOf(index, weights), weights);
        else scores.set(key(who, index), scoreOf(index, weights));
        drawBoard();
        await new Promise((next) => setTimeout(next));
      }
    }
  }
  function drawBoard() {
    const names = { equal: "all heads equal", learned: "learned (AAF)", yours: "yours", best: "your best" };
    const here = photoNow(), all = data.photos.map((_, i) => i);
    const head = make("tr", {}, make("th", { scope: "col" }, "mIoU, %"), ...all.map((i) =>
      make("th", { scope: "col", title: data.photos[i].name, "aria-current": i === here ? "true" : null },
        String(i + 1))), make("th", { scope: "col" }, "mean"));
    const value = (who, i) => who === "best" ?
      (record.get(key("best", i)) || {}).score : scores.get(key(who, i));
    const lines = Object.entries(names).map(([who, name]) => {
      const values = all.map((i) => value(who, i));
      const mean = who === "best" || values.includes(undefined) ? "" :
        per(values.reduce((a, b) => a + b, 0) / values.length);
      return make("tr", { "data-who": who }, make("th", { scope: "row" }, name),
        ...values.map((v, i) => make("td", { "aria-current": i === here ? "true" : null }, per(v))),
        make("td", {}, mean));
    });
    board.replaceChildren(make("caption", {}, `Beat the AAF: ${STAGE_NAMES[stageNow()]}` +
      " of each picture at its best threshold, a peek at the mask"),
    make("thead", {}, head), make("tbody", {}, ...lines));
    const learned = value("learned", here), best = value("best", here);
    if (learned === undefined || best === undefined) return;
    const gap = 100 * (best - learned);
    tally.textContent = `Picture ${here + 1}: learned ${per(learned)}, your best ${per(best)}: ` +
      (gap > 0.05 ? `you beat the AAF by ${gap.toFixed(1)}.` :
        gap < -0.05 ? `${(-gap).toFixed(1)} to go.` : "level.");
  }

  // ---- drawing
  function drawFaders() {
    const weights = weightsNow(), alone = soloNow();
    cells.forEach((cell, i) => {
      cell.setAttribute("style", heatStyle(weights[i] / data.top));
      cell.classList.toggle("wt-off", alone >= 0 && alone !== i);
      const state = alone === i ? ", alone" : muted.has(i) ? ", muted" : "";
      // what is written in a button must be part of its name
      const shown = weights[i].toFixed(1), exact = weights[i].toFixed(2);
      cell.textContent = shown;
      cell.setAttribute("aria-label", `${shown}, ${headName(i)}: weight ${exact}${state}`);
    });
    rove();
  }
  function drawFields(p) {
    photoField.querySelector("select").value = photoNow();
    if (classesOf !== p) {
      classesOf = p;
      classField.replaceChildren(p.classes.length < 2 ? "" : choice("Class",
        p.classes.map((name, i) => [i, name]), "", (v) => set({ shown: Number(v) })));
    }
    const select = classField.querySelector("select");
    if (select) select.value = at("shown", p.classes.length);
    cutField.value = cutNow();
    cutText.textContent = cutNow().toFixed(2);
    followField.checked = model.get("follow");
  }
  function drawMaps(p, maps, found) {
    const shown = at("shown", p.classes.length);
    const part = (values) => toBytes(values.subarray(shown * p.count, (shown + 1) * p.count));
    const name = p.classes[shown], stage = stageNow();
    drawOverlay(big, p.image, part(maps[stage]), p.grid, null);
    big.setAttribute("aria-label", `${STAGE_NAMES[stage]} of ${name} on ${p.name}`);
    drawMap(coarse, part(p.coarseMap), p.grid);
    for (const [other, { canvas, button: pick }] of Object.entries(stages)) {
      drawMap(canvas, part(maps[other]), p.grid);
      pick.setAttribute("aria-pressed", other === stage);
    }
    const cut = cutNow();
    paintLabels(labels, found.best.map((k, i) => (found.score[i] > cut ? k : 0)), p.mask.shape, p.colours);
    labels.setAttribute("aria-label", `labels at threshold ${cut.toFixed(2)}`);
    paintLabels(truth, p.truth, p.mask.shape, p.colours);
    return name;
  }
  function draw(quiet = false) {
    const turn = ++draws, index = photoNow(), p = photos[index];
    if (!p) return open(index).then(() => draw());
    const weights = heard(), maps = fuse(p, weights, data.cap), stage = stageNow();
    const found = bestClass(p, maps[stage]), miou = sweep(p, found), best = peak(miou);
    for (const i of data.photos.keys()) scores.delete(key("yours", i));
    keep(index, miou[best], weights);
    if (model.get("follow") && cutNow() !== best / (CUTS - 1))
      write({ threshold: best / (CUTS - 1) });
    drawFaders();
    drawFields(p);
    const name = drawMaps(p, maps, found);
    drawBoard();
    if (quiet) return undefined;
    const alone = soloNow();
    say.textContent = `${p.name}, ${STAGE_NAMES[stage]} of ${name}` +
      (alone >= 0 ? `, ${headName(alone)} alone` : "") +
      `: ${per(miou[Math.round(cutNow() * (CUTS - 1))])} % mIoU at threshold ${cutNow().toFixed(2)}` +
      `${model.get("follow") ? ", the best for this picture" : `, ${per(miou[best])} % at the best`}.`;
    clearTimeout(timer);
    timer = setTimeout(() => settle(turn), 120);
    return undefined;
  }

  el.replaceChildren(make("div", { class: "wt wt-mixer" },
    make("style", {}, STYLE + MIXER_STYLE),
    make("div", { class: "wt-bar" }, photoField, classField),
    make("div", { class: "wt-bar", role: "group", "aria-label": "weights to start from" },
      button("all equal", () => load(equal())), button("last layer", () => load(lastLayer())),
      button("learned (AAF)", () => load(data.photos[photoNow()].learned)),
      button("random", () => load(equal().map(() => limit(Math.random() * data.top)))),
      button("my best", loadBest), button("reset", reset)),
    make("div", { class: "wt-main" },
      make("div", { class: "wt-desk" }, faders,
        make("div", { class: "wt-bar" },
          make("label", { class: "wt-field" }, "Brush ", brushField, " ", brushText),
          button("mute", act(mute)), button("solo", act(solo))),
        modeField),
      make("div", { class: "wt-big" }, big,
        make("div", { class: "wt-bar wt-cut" },
          make("label", { class: "wt-field" }, "Threshold ", cutField, " ", cutText),
          make("label", { class: "wt-field" }, followField, " keep it at the best")))),
    strip, say, tally, board,
    make("p", { class: "wt-note" },
      "Press a weight, or drag over several, to set them to the brush; press a layer's number to " +
      "set all of it. Keys: arrows move, + and - change, m mutes, s listens to one head alone. " +
      "Press a small map to see it large and to score it.")));
  draw();
  return stop;
}

const MIXER_STYLE = `
.wt-desk { flex: 1 1 250px; min-width: 0; max-width: 420px; }
.wt-faders { display: grid; gap: 2px; margin-bottom: 10px; touch-action: none; user-select: none; }
.wt-mixer .wt-faders button { min-height: 24px; min-width: 0; padding: 0; border: 1px solid #767676;
  border-radius: 3px; font-size: 12px; line-height: 22px; cursor: crosshair; }
.wt-mixer .wt-faders .wt-layer { width: 30px; cursor: pointer; }
.wt-mixer .wt-faders .wt-off { opacity: 0.3; }
.wt-mixer .wt-faders button:focus-visible { outline-offset: 0; z-index: 1; position: relative; }
.wt-mixer .wt-desk .wt-bar { margin-bottom: 6px; gap: 6px 8px; }
.wt-mixer .wt-desk input[type=range] { width: 80px; }
.wt-mixer input[type=range] { vertical-align: middle; accent-color: #0b62c4; max-width: 130px; }
.wt-mixer select { max-width: 220px; }
.wt-mixer .wt-big canvas { cursor: default; touch-action: auto; }
.wt-mixer .wt-big { flex-basis: 270px; }
.wt-mixer .wt-cut { margin: 8px 0 0; }
.wt-mixer .wt-strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(82px, 1fr)); gap: 8px;
  margin-top: 12px; }
.wt-mixer .wt-still, .wt-mixer .wt-strip button { margin: 0; padding: 3px; border: 2px solid transparent;
  border-radius: 5px; background: none; font-size: 12px; line-height: 1.3; text-align: left; display: flex; flex-direction: column; }
.wt-mixer .wt-strip button { border-color: #c9c9c9; }
.wt-mixer .wt-strip button[aria-pressed="true"] { border-color: #0b62c4; background: #e6eef8; }
.wt-mixer .wt-strip canvas { width: 100%; image-rendering: pixelated; display: block; border-radius: 3px;
  margin-bottom: 3px; }
.wt-mixer .wt-tally { font-weight: 600; margin: 4px 0 8px; min-height: 1.4em; }
.wt.wt-mixer table.wt-board { display: table; border-collapse: collapse; font-size: 13px; width: auto; margin: 0; color: inherit; }
.wt-mixer .wt-board caption { text-align: left; caption-side: top; padding: 0 0 4px; color: inherit; }
.wt-mixer .wt-board th, .wt-mixer .wt-board td { padding: 2px 7px; border-bottom: 1px solid #ddd; text-align: right;
  font-variant-numeric: tabular-nums; }
.wt-mixer .wt-board th { font-weight: 600; }
.wt-mixer .wt-board th:first-child { text-align: left; font-weight: 400; }
.wt-mixer .wt-board [aria-current] { background: #e6eef8; }
`;

export default { render };
