// Clip map: start value and window of the clipping loss, and the pixels that stop teaching.

async function render({ model, el }) {
  const data = model.get("data");
  const { grid, names, colours, step, top } = data;
  const [h, w] = grid, count = h * w;
  const scenes = await Promise.all(data.photos.map(async (p) => {
    const open = (packed) => packed && unpack(packed);
    const [label, bytes, truth] = await Promise.all([p.label, p.loss, p.truth].map(open));
    const loss = new Float64Array(count); // in steps, whole numbers: sums are exact
    for (let i = 0; i < count; i++) loss[i] = 256 * bytes[i] + bytes[count + i];
    const pixels = photoPixels(await loadImage(p.jpeg), grid);
    const grey = new Array(count), wrong = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const v = (pixels[4 * i] + pixels[4 * i + 1] + pixels[4 * i + 2]) / 3;
      grey[i] = new Array(3).fill(Math.floor(140 + 0.45 * v));
      wrong[i] = truth !== null && truth[i] !== 255 && label[i] !== 255 && truth[i] !== label[i];
    }
    return { ...p, label, loss, truth, pixels, grey, wrong };
  }));
  const TRAITS = ["photo", "start", "window", "per_image", "truth"];
  const { set, at, stop } = connect(model, TRAITS, draw);
  const which = () => at("photo", scenes.length);
  const sideNow = () => at("window", Math.max(h, w) + 1, 2);
  const now = () => scenes[which()];
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const batchSum = new Float64Array(count);
  for (const s of scenes) s.loss.forEach((v, i) => { batchSum[i] += v; });
  for (const s of scenes) s.mean = mean(s.loss);
  const batchMean = mean(batchSum) / scenes.length;

  function ceiling(sums, images, overall, side) {
    // the larger of the window's mean and the mean of all; windows end with the image.
    // `sums` are those of the losses of some images; they stay whole until the last step
    const found = new Float64Array(count);
    for (let y = 0; y < h; y += side) for (let x = 0; x < w; x += side) {
      const [bottom, right] = [Math.min(h, y + side), Math.min(w, x + side)];
      let sum = 0;
      for (let r = y; r < bottom; r++) for (let c = x; c < right; c++) sum += sums[r * w + c];
      const value = Math.max(sum / (images * (bottom - y) * (right - x)), overall);
      for (let r = y; r < bottom; r++) found.fill(value, r * w + x, r * w + right);
    }
    return found;
  }
  function measure() {
    // threshold and clipped pixels of each image of the batch
    const alone = model.get("per_image"), side = sideNow();
    const shared = alone ? null : ceiling(batchSum, scenes.length, batchMean, side);
    for (const s of scenes) {
      const overall = alone ? s.mean : batchMean;
      s.lambda = shared || ceiling(s.loss, 1, overall, side);
      s.on = overall <= model.get("start") * step;
      s.clipped = new Uint8Array(count);
      if (s.on) for (let i = 0; i < count; i++) s.clipped[i] = s.loss[i] > s.lambda[i];
    }
  }
  function counts(chosen) {
    // pixels of some images: all, clipped, wrong, both
    const n = { all: 0, clipped: 0, wrong: 0, both: 0 };
    for (const s of chosen) for (let i = 0; i < count; i++) {
      n.all += 1; n.clipped += s.clipped[i]; n.wrong += s.wrong[i];
      n.both += s.wrong[i] & s.clipped[i];
    }
    return n;
  }

  const KINDS = { wrong: [0, 114, 178], right: [230, 159, 0], missed: [204, 121, 167] };
  function verdict(s, i) {
    // colour of a pixel in the clip map
    if (!model.get("truth") || !s.truth) return s.clipped[i] ? KINDS.wrong : s.grey[i];
    if (s.wrong[i]) return s.clipped[i] ? KINDS.wrong : KINDS.missed;
    return s.clipped[i] ? KINDS.right : s.grey[i];
  }
  function heat(values) {
    // losses or thresholds in steps -> 0..255
    const found = new Uint8Array(count), full = top * step;
    for (let i = 0; i < count; i++)
      found[i] = Math.floor(255 * Math.min(values[i] / full, 1) + 0.5);
    return found;
  }

  const panel = (name, caption) => {
    const canvas = make("canvas", { role: "img", class: "wt-" + name });
    const words = make("p", { class: "wt-caption" }, caption);
    return { canvas, words, figure: make("div", {}, canvas, words) };
  };
  const panels = {
    label: panel("label", "photo and its label"),
    loss: panel("loss", `loss ℓ, 0 (dark) to ${top} nats (bright)`),
    lambda: panel("lambda", ""),
    clip: panel("clip", "pixels that do not teach"),
  };
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const key = make("div");
  const startField = range("Start value", { min: 0, max: 4, step: 0.01 },
    (v) => set({ start: v }));
  const windowField = range("Window", { min: 2, max: Math.max(h, w), step: 1 },
    (v) => set({ window: v }));
  const photoField = scenes.length < 2 ? "" :
    choice("Scene", scenes.map((s, i) => [i, s.name]), which(),
      (v) => set({ photo: Number(v) }));
  const imageField = tick("means of each image alone", (on) => set({ per_image: on }));
  const truthField = tick("mark wrong labels (true mask)", (on) => set({ truth: on }));

  let drawn = null;
  const nats = (v) => (v / step).toFixed(2);
  function sentence(s) {
    const overall = model.get("per_image") ? s.mean : batchMean;
    const whose = model.get("per_image") ? "this image" : "the batch";
    const begun = `${s.name}: the mean loss of ${whose} is ${nats(overall)}`;
    if (!s.on) return `${begun}, above the start value: nothing is clipped, all pixels teach.`;
    const n = counts([s]), all = counts(scenes);
    const said = [`${begun}, not above the start value. Clipped: ${percent(n.clipped / n.all)} ` +
      "of this image's pixels."];
    if (model.get("truth") && s.truth) {
      const about = (k) => (k.clipped && k.wrong ?
        `${percent(k.both / k.clipped)} of the clipped labels are wrong (of all labels ` +
        `${percent(k.wrong / k.all)}), and ${percent(k.both / k.wrong)} of the wrong ones are clipped` :
        `${percent(k.wrong / k.all)} of all labels are wrong, ${k.clipped} pixels are clipped`);
      said.push(`Here ${about(n)}.`, `In the whole batch ${about(all)}.`);
    }
    return said.join(" ");
  }
  function draw() {
    const s = now();
    measure();
    startField.show(model.get("start"), model.get("start").toFixed(2));
    windowField.show(sideNow(), `${sideNow()} px`);
    if (photoField) photoField.querySelector("select").value = which();
    imageField.querySelector("input").checked = model.get("per_image");
    truthField.querySelector("input").checked = model.get("truth");
    truthField.querySelector("input").disabled = !s.truth;
    if (drawn !== s) { // these two change with the scene only
      drawLabels(panels.label.canvas, s.pixels, s.label, grid, colours);
      drawMap(panels.loss.canvas, heat(s.loss), grid);
      drawn = s;
    }
    drawMap(panels.lambda.canvas, heat(s.lambda), grid);
    drawPixels(panels.clip.canvas, grid, (i) => verdict(s, i));
    const words = sentence(s), marking = model.get("truth") && s.truth;
    say.textContent = words;
    const least = s.lambda.reduce((a, b) => Math.min(a, b));
    const most = s.lambda.reduce((a, b) => Math.max(a, b));
    panels.lambda.words.textContent =
      `threshold λ, ${nats(least)} to ${nats(most)} nats (colours as for ℓ)`;
    for (const p of Object.values(panels))
      p.canvas.setAttribute("aria-label", `${s.name}: ${p.words.textContent}`);
    const kinds = marking ? ["clipped, label wrong", "clipped, label right", "wrong, not clipped"]
      : ["clipped: no gradient"];
    key.replaceChildren(classLegend(s.present, names, colours),
      classLegend(kinds.map((_, i) => i), kinds, Object.values(KINDS)));
  }

  el.replaceChildren(make("div", { class: "wt wt-clipping" },
    make("style", {}, STYLE + `.wt-panels { display: grid; gap: 10px; max-width: 720px;
      grid-template-columns: repeat(2, minmax(0, 1fr)); }
      .wt-panels canvas { width: 100%; display: block; border-radius: 4px;
      image-rendering: pixelated; }
      .wt .wt-caption { font-size: 13px; color: #333; margin: 4px 0 0; }
      .wt-range input { width: min(260px, 50vw); }`),
    make("div", { class: "wt-bar" }, startField, windowField),
    make("div", { class: "wt-bar" }, photoField, imageField, truthField),
    make("div", { class: "wt-panels" }, ...Object.values(panels).map((p) => p.figure)),
    key, say,
    make("p", { class: "wt-note" }, "All scenes of the list are one batch. The threshold is " +
      "the larger of the window's mean loss and the mean of all.")));
  draw();
  return stop;
}

export default { render };
