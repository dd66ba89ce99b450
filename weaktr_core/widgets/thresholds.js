// Threshold explorer: a background score, the labels it makes, how good they are.

async function render({ model, el }) {
  const data = model.get("data");
  const { thresholds, curves, marks, names, colours } = data;
  const steps = thresholds.length;
  const scenes = await Promise.all(data.photos.map(async (p) => {
    const open = (packed) => packed && unpack(packed);
    const [best, beaten, mask, crf] =
      await Promise.all([p.best, p.beaten, p.mask, p.crf].map(open));
    const image = await loadImage(p.jpeg);
    const scene = { ...p, best, beaten, mask, crf, pixels: photoPixels(image, p.grid) };
    scene.own = mask ? ownCurve(scene) : null;
    return scene;
  }));
  const { set, at, stop } = connect(model, ["photo", "threshold", "crf", "truth", "curve"], draw);
  const which = () => at("photo", scenes.length), curveNow = () => at("curve", names.length, -1);
  const now = () => scenes[which()];
  const step = () => nearest(thresholds, model.get("threshold"));
  const count = (s) => s.grid[0] * s.grid[1];
  const withCrf = (s) => model.get("crf") && s.crf;
  const labels = new Map(); // label maps that were asked for

  function labelsOf(scene) {
    // at the current threshold; after the CRF, those of the nearest stored one
    const n = withCrf(scene) ? nearest(data.crf, model.get("threshold")) : step();
    if (withCrf(scene)) return scene.crf.subarray(n * count(scene), (n + 1) * count(scene));
    const key = scenes.indexOf(scene) * steps + n;
    if (!labels.has(key)) {
      labels.set(key, scene.best.map((label, i) => (scene.beaten[i] > n ? label : 0)));
    }
    return labels.get(key);
  }
  function mean(hits, truth, found) {
    // IoU, averaged over the labels that occur
    let sum = 0, occur = 0;
    for (let c = 0; c < names.length; c++) {
      const union = truth[c] + found[c] - hits[c];
      if (union > 0) { sum += hits[c] / union; occur += 1; }
    }
    return sum / Math.max(occur, 1);
  }
  function quality(found, mask) {
    // [mIoU, share of pixels that are right] of a label map
    const [hits, truths, founds] = [0, 1, 2].map(() => new Float64Array(names.length));
    let right = 0, all = 0;
    mask.forEach((t, i) => {
      if (t === 255) return;
      truths[t] += 1; founds[found[i]] += 1; all += 1;
      if (t === found[i]) { hits[t] += 1; right += 1; }
    });
    return [mean(hits, truths, founds), right / Math.max(all, 1)];
  }
  function ownCurve(scene) {
    // mIoU of one scene at every threshold, in one pass over its pixels
    const C = names.length, size = steps + 1;
    const foundAt = new Float64Array(C * size), hitAt = new Float64Array(C * size);
    const groundAt = new Float64Array(size); // background pixels by what they beat
    const truth = new Float64Array(C), found = new Float64Array(C), hits = new Float64Array(C);
    scene.mask.forEach((t, i) => {
      if (t === 255) return;
      const label = scene.best[i], level = scene.beaten[i];
      truth[t] += 1;
      if (label === 0) { found[0] += 1; if (t === 0) hits[0] += 1; return; }
      foundAt[label * size + level] += 1;
      if (t === label) hitAt[label * size + level] += 1;
      if (t === 0) groundAt[level] += 1;
    });
    for (let c = 1; c < C; c++) {
      found[c] = foundAt.subarray(c * size, (c + 1) * size).reduce((a, b) => a + b, 0);
      hits[c] = hitAt.subarray(c * size, (c + 1) * size).reduce((a, b) => a + b, 0);
    }
    return thresholds.map((_, n) => {
      // what beats exactly n thresholds is background from the n-th on
      for (let c = 1; c < C; c++) {
        found[c] -= foundAt[c * size + n]; found[0] += foundAt[c * size + n];
        hits[c] -= hitAt[c * size + n];
      }
      hits[0] += groundAt[n];
      return mean(hits, truth, found);
    });
  }


  // the plot: bars of the scores, the curves, a cursor to drag
  const BOX = { left: 44, right: 8, top: 10, bottom: 36, width: 440, height: 260 };
  const [low, high] = [thresholds[0], thresholds[steps - 1]];
  const x = (t) => BOX.left + (t - low) / (high - low) * (BOX.width - BOX.left - BOX.right);
  const y = (v) => BOX.height - BOX.bottom - v * (BOX.height - BOX.top - BOX.bottom);
  const text = (px, py, words, anchor = "middle") =>
    svg("text", { x: px, y: py, "text-anchor": anchor, "font-size": 13, fill: "#333" }, words);
  const line = (values, colour, dash = "") => {
    const points = values.map((v, i) => (v === null ? null : [x(thresholds[i]), y(v)]));
    return svg("polyline", { points: points.filter(Boolean).map((p) => p.join(",")).join(" "),
      fill: "none", stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash });
  };
  const upright = (t, colour, width, dash) => svg("line", { x1: x(t), x2: x(t), y1: y(0),
    y2: y(1), stroke: colour, "stroke-width": width, "stroke-dasharray": dash });
  const MARKS = ["#d55e00", "#008a66"];

  function plot(scene) {
    const bars = new Float64Array(steps + 1);
    scene.beaten.forEach((level) => { bars[level] += 1; });
    const top = Math.max(...bars);
    const drawn = [];
    for (let n = 1; n < steps; n++) {
      const [a, b] = [x(thresholds[n - 1]), x(thresholds[n])];
      drawn.push(svg("rect", { x: a, width: b - a, y: y(0.5 * bars[n] / top),
        height: y(0) - y(0.5 * bars[n] / top), fill: "#dcdcdc" }));
    }
    for (const v of [0, 0.25, 0.5, 0.75, 1]) {
      drawn.push(svg("line", { x1: x(low), x2: x(high), y1: y(v), y2: y(v), stroke: "#bbb",
        "stroke-width": v ? 0.5 : 1 }), text(BOX.left - 6, y(v) + 4, v === 1 ? "100%" : 100 * v, "end"));
    }
    for (const t of [0, 1, 2, 3, 4].map((k) => low + k * (high - low) / 4))
      drawn.push(text(x(t), y(0) + 16, Number(t.toFixed(2))));
    drawn.push(text((x(low) + x(high)) / 2, BOX.height - 4, "background score"));
    marks.forEach(([, t], k) => drawn.push(upright(t, MARKS[k], 2, k ? "6 4" : "2 3")));
    if (scene.own) drawn.push(line(scene.own, "#8a5a78", "7 4"));
    if (curves.length) drawn.push(line(curves[curveNow() + 1], "#0072b2"));
    if (withCrf(scene) && scene.mask) drawn.push(...afterCrf(scene));
    drawn.push(upright(thresholds[step()], "#000", 2, ""),
      svg("circle", { cx: x(thresholds[step()]), cy: y(1), r: 6, fill: "#000" }));
    curve.replaceChildren(...drawn);
  }
  function afterCrf(scene) {
    // this scene's mIoU at the thresholds whose label maps are stored
    scene.after = scene.after || data.crf.map((_, n) =>
      quality(scene.crf.subarray(n * count(scene), (n + 1) * count(scene)), scene.mask)[0]);
    return scene.after.map((v, n) => svg("circle", { cx: x(data.crf[n]), cy: y(v), r: 4,
      fill: "#8a5a78", class: "wt-after" }));
  }
  function drag(event) {
    if (event.type === "pointerdown") curve.setPointerCapture(event.pointerId);
    else if (!curve.hasPointerCapture(event.pointerId)) return;
    const box = curve.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * BOX.width;
    const share = (at - BOX.left) / (BOX.width - BOX.left - BOX.right);
    set({ threshold: thresholds[nearest(thresholds, low + share * (high - low))] });
  }

  const big = make("canvas", { role: "img" });
  const curve = svg("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img",
    class: "wt-curve" });
  curve.addEventListener("pointerdown", drag);
  curve.addEventListener("pointermove", drag);
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const key = make("div");
  const slider = range("Background score", { min: 0, max: steps - 1, step: 1 },
    (n) => set({ threshold: thresholds[n] }));
  const jumps = marks.map(([name, t], k) => make("button", { type: "button",
    class: "wt-jump", style: `border-left: 6px solid ${MARKS[k]}`,
    onclick: () => set({ threshold: thresholds[nearest(thresholds, t)] }) },
    `${name}: ${t.toFixed(2)}`));
  const photoField = scenes.length < 2 ? "" :
    choice("Scene", scenes.map((s, i) => [i, s.name]), which(),
      (v) => set({ photo: Number(v) }));
  const crfField = tick("edges from the photo (CRF)", (on) => set({ crf: on }));
  const truthField = tick("outline of the true mask", (on) => set({ truth: on }));
  const curveField = curves.length ? choice("Blue curve",
    [[-1, "all scenes, mean over classes"], ...names.map((name, c) => [c, `all scenes, ${name}`])
      .filter(([c]) => curves[c + 1].some((v) => v !== null))],
    curveNow(), (v) => set({ curve: Number(v) })) : "";

  function outline(scene) {
    // true labels change between a pixel and the one below or to the right
    const [h, w] = scene.grid, context = big.getContext("2d"), t = scene.mask;
    context.fillStyle = "#fff";
    for (let i = 0; i < h * w; i++) {
      const beside = (i % w) + 1 < w && t[i] !== t[i + 1];
      if (beside || (i + w < h * w && t[i] !== t[i + w])) {
        context.fillRect(i % w, Math.floor(i / w), 1, 1);
      }
    }
  }
  function sentence(scene, found) {
    const at = thresholds[step()].toFixed(2);
    const choices = marks.filter(([, t]) => nearest(thresholds, t) === step());
    const who = choices.length ? ` (${choices.map(([name]) => name).join("; ")})` : "";
    const stored = data.crf[nearest(data.crf, model.get("threshold"))];
    const crf = withCrf(scene) ? `, after the CRF at ${stored.toFixed(2)}` : "";
    const objects = found.reduce((n, label) => n + (label !== 0), 0) / count(scene);
    const parts = [`${scene.name}, background score ${at}${who}${crf}: ` +
      `${percent(objects)} of the pixels go to a class.`];
    if (scene.mask) {
      const [miou, right] = quality(found, scene.mask);
      parts.push(`${percent(right)} of all pixels are right; mIoU of this scene ${percent(miou)}.`);
    }
    const chosen = curves.length ? curves[curveNow() + 1][step()] : null;
    if (chosen !== null) {
      const name = curveNow() < 0 ? "mIoU" : `IoU of ${names[curveNow()]}`;
      parts.push(`${name} of all scenes, without CRF: ${percent(chosen)}.`);
    }
    return parts.join(" ");
  }
  function draw() {
    const scene = now(), found = labelsOf(scene);
    slider.show(step(), thresholds[step()].toFixed(2));
    if (photoField) photoField.querySelector("select").value = which();
    if (curveField) curveField.querySelector("select").value = curveNow();
    for (const [field, name, there] of [[crfField, "crf", scene.crf],
      [truthField, "truth", scene.mask]]) {
      const box = field.querySelector("input");
      box.checked = model.get(name);
      box.disabled = !there;
    }
    drawLabels(big, scene.pixels, found, scene.grid, colours);
    if (model.get("truth") && scene.mask) outline(scene);
    const words = sentence(scene, found);
    say.textContent = words;
    big.setAttribute("aria-label", words);
    key.replaceChildren(classLegend(scene.present, names, colours));
    plot(scene);
    curve.setAttribute("aria-label", "Quality at every background score; the cursor is at " +
      thresholds[step()].toFixed(2));
  }

  const notes = ["Grey bars: how often a score occurs in this scene (its top classes' score)."];
  if (curves.length) notes.push("Blue: all scenes.");
  if (scenes.some((s) => s.mask)) notes.push("Purple, dashed: this scene; dots: after the CRF.");
  el.replaceChildren(make("div", { class: "wt wt-thresholds" },
    make("style", {}, STYLE + `.wt-thresholds .wt-big canvas { cursor: default; }
      .wt-curve { width: 100%; display: block; cursor: ew-resize; touch-action: pan-y; }
      .wt-side { flex: 1 1 300px; min-width: 0; max-width: 480px; }
      .wt-range input { width: min(300px, 60vw); }`),
    make("div", { class: "wt-bar" }, slider, ...jumps),
    make("div", { class: "wt-bar" }, photoField, crfField, truthField, curveField),
    make("div", { class: "wt-main" }, make("div", { class: "wt-big" }, big, key, say),
      make("div", { class: "wt-side" }, curve,
        make("p", { class: "wt-note" }, notes.join(" ") +
          " Vertical lines: the two choices, as on the buttons. Drag in the plot, or use " +
          "the slider.")))));
  draw();
  return stop;
}

export default { render };
