// Training explorer: head weights, maps and curves; one slider moves them all.

const BEAT = 900; // milliseconds an epoch is shown while playing
const PANEL = { width: 300, height: 150, left: 38, right: 8, top: 8, bottom: 24 };

function panelOf({ title, curves }, epochs) {
  // curves over epochs with a cursor; at(epoch) moves it and writes the numbers
  const known = curves.flatMap((c) => c.values).filter((v) => v !== null);
  const low = Math.min(0, ...known), high = Math.max(...known, low + 1e-9);
  const x = (e) => PANEL.left + e / Math.max(1, epochs.length - 1) * (PANEL.width - PANEL.left - PANEL.right);
  const y = (v) => PANEL.height - PANEL.bottom -
    (v - low) / (high - low) * (PANEL.height - PANEL.top - PANEL.bottom);
  const number = (v) => (v === 0 ? "0" : Math.abs(v) >= 10 ? v.toFixed(1) : v.toFixed(3));
  const paths = curves.map((c) => {
    let pen = "M";
    const steps = c.values.map((v, e) => {
      const step = v === null ? "" : `${pen}${x(e).toFixed(1)} ${y(v).toFixed(1)}`;
      pen = v === null ? "M" : "L";
      return step;
    });
    return svg("path", { d: steps.join(""), stroke: c.colour, fill: "none", "stroke-width": 2 });
  });
  const text = (place, anchor, words) => svg("text", { ...place, "text-anchor": anchor, "font-size": 11, fill: "#333" }, words);
  const axis = `M${PANEL.left} ${PANEL.top}V${y(low)}H${PANEL.width - PANEL.right}`;
  const cursor = svg("line", { y1: PANEL.top, y2: PANEL.height - PANEL.bottom, stroke: "#1a1a1a",
    "stroke-width": 1.5, "stroke-dasharray": "4 3", class: "wt-cursor" });
  const dots = curves.map((c) => svg("circle", { r: 4, fill: c.colour, stroke: "#fff" }));
  const picture = svg("svg", { viewBox: `0 0 ${PANEL.width} ${PANEL.height}`, role: "img", "aria-label": title },
    svg("path", { d: axis, stroke: "#767676", fill: "none" }), ...paths, cursor, ...dots,
    text({ x: PANEL.left - 4, y: PANEL.top + 8 }, "end", number(high)),
    text({ x: PANEL.left - 4, y: y(low) }, "end", number(low)),
    text({ x: x(0), y: PANEL.height - 8 }, "start", epochs[0]),
    text({ x: PANEL.width - PANEL.right, y: PANEL.height - 8 }, "end", epochs[epochs.length - 1]));
  const values = curves.map(() => make("span"));
  const legend = make("ul", { class: "wt-legend" }, ...curves.map((c, i) =>
    make("li", {}, make("i", { style: `background: ${c.colour}` }), c.name + " ", values[i])));
  const at = (epoch) => {
    for (const side of ["x1", "x2"]) cursor.setAttribute(side, x(epoch).toFixed(1));
    curves.forEach((c, i) => {
      const v = c.values[epoch];
      dots[i].setAttribute("visibility", v === null ? "hidden" : "visible");
      dots[i].setAttribute("cx", x(epoch));
      dots[i].setAttribute("cy", v === null ? 0 : y(v));
      values[i].textContent = v === null ? "–" : number(v);
    });
  };
  return { element: make("div", { class: "wt-panel" }, make("b", {}, title), picture, legend), at };
}

async function render({ model, el }) {
  const data = model.get("data");
  const [epochs, images, layers, heads] = data.shape;
  const count = data.grid[0] * data.grid[1], stages = data.stages.length;
  const photos = await Promise.all(data.photos.map((p) => loadImage(p.jpeg)));
  const rows = await unpackRows(data.maps);
  let playing = null, average = false;
  const { set, at, stop: unlink } = connect(model, ["epoch", "photo", "stage", "common"], draw);
  const epochNow = () => at("epoch", epochs), photoNow = () => at("photo", images);

  function map(epoch, photo, stage) {
    const row = (epoch * images + photo) * stages + stage;
    const values = new Float64Array(count);
    for (let n = 0; n < count; n++) values[n] = rows.scale[row] * rows.values[rows.codes[row * count + n]];
    return values;
  }
  function bytes(epoch, photo, stage) {
    // scaled to its own largest value, or to the largest of all epochs
    const values = map(epoch, photo, stage);
    if (!model.get("common")) return toBytes(values);
    let most = 1e-30;
    for (let e = 0; e < epochs; e++) most = Math.max(most, ...map(e, photo, stage));
    return toBytes(Float64Array.from([...values, most])).subarray(0, count);
  }
  function weight(epoch, head) {
    const of = (image) => data.weights[(epoch * images + image) * layers * heads + head];
    if (!average) return of(photoNow());
    let sum = 0;
    for (let image = 0; image < images; image++) sum += of(image);
    return sum / images;
  }

  // ---- play and pause
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const play = make("button", { type: "button", onclick: toggle });
  function toggle() {
    if (still.matches) return set({ epoch: (epochNow() + 1) % epochs });
    if (playing !== null) return stop();
    if (epochNow() === epochs - 1) set({ epoch: 0 });
    playing = setInterval(() => {
      if (!el.isConnected) return stop();
      set({ epoch: epochNow() + 1 });
      if (epochNow() >= epochs - 1) stop();
      return undefined;
    }, BEAT);
    return draw();
  }
  function stop() {
    clearInterval(playing);
    playing = null;
    draw();
  }
  still.addEventListener("change", stop);

  // ---- controls and pictures
  const slider = make("input", { type: "range", min: 0, max: epochs - 1, step: 1,
    oninput: () => { if (playing !== null) stop(); set({ epoch: Number(slider.value) }); } });
  const where = make("output", {});
  const photoField = choice("Picture", data.photos.map((p, i) => [i, p.name]), photoNow(),
    (v) => set({ photo: Number(v) }));
  const whose = choice("Weights of", [["one", "this picture"], ["all", "the mean picture"]], "one",
    (v) => { average = v === "all"; draw(); });
  const common = make("input", { type: "checkbox", onchange: () => set({ common: common.checked }) });
  const cells = Array.from({ length: layers * heads }, () => make("td"));
  const table = make("table", { class: "wt-weights" }, make("caption", {}, "head weights: layers down, heads across"),
    make("tbody", {}, ...Array.from({ length: layers }, (_, layer) => make("tr", {},
      make("th", { scope: "row" }, String(layer + 1)), ...cells.slice(layer * heads, (layer + 1) * heads)))));
  const big = make("canvas", { role: "img" });
  const small = data.stages.map((name, stage) => {
    const canvas = make("canvas");
    return { canvas, button: make("button", { type: "button", onclick: () => set({ stage }) },
      canvas, make("span", {}, name)) };
  });
  const panels = data.panels.map((panel) => panelOf(panel, data.epochs));
  const say = make("p", { class: "wt-say", "aria-live": "polite" });

  function draw() {
    const epoch = epochNow(), photo = photoNow(), stage = at("stage", stages);
    play.textContent = still.matches ? "next epoch" : playing === null ? "play" : "pause";
    slider.value = epoch;
    slider.setAttribute("aria-valuetext", data.epochs[epoch]);
    where.textContent = data.epochs[epoch];
    photoField.querySelector("select").value = photo;
    common.checked = model.get("common");
    cells.forEach((cell, head) => {
      const value = weight(epoch, head);
      cell.setAttribute("style", heatStyle(value / data.top));
      cell.textContent = value.toFixed(2);
    });
    drawOverlay(big, photos[photo], bytes(epoch, photo, stage), data.grid, null);
    big.setAttribute("aria-label", `${data.stages[stage]}, ${data.photos[photo].name}, ${data.epochs[epoch]}`);
    small.forEach(({ canvas, button }, s) => {
      drawMap(canvas, bytes(epoch, photo, s), data.grid);
      button.setAttribute("aria-pressed", s === stage);
    });
    for (const panel of panels) panel.at(epoch);
    if (playing === null || epoch === epochs - 1) report(epoch, photo, stage);
  }
  function report(epoch, photo, stage) {
    const values = cells.map((_, head) => weight(epoch, head));
    const name = (head) => `layer ${Math.floor(head / heads) + 1}, head ${(head % heads) + 1}`;
    const most = values.indexOf(Math.max(...values)), least = values.indexOf(Math.min(...values));
    say.textContent = `${data.epochs[epoch]}, ${data.photos[photo].name}, ${data.stages[stage]}. ` +
      `Most trusted: ${name(most)} (${values[most].toFixed(2)}); ` +
      `least: ${name(least)} (${values[least].toFixed(2)}).`;
  }

  el.replaceChildren(make("div", { class: "wt wt-epochs" },
    make("style", {}, STYLE + EPOCHS_STYLE),
    make("div", { class: "wt-bar" }, play, make("label", { class: "wt-field wt-time" }, "Epoch ", slider, " ", where)),
    make("div", { class: "wt-bar" }, photoField, whose,
      make("label", { class: "wt-field" }, common, " one scale for all epochs")),
    make("div", { class: "wt-main" }, make("div", { class: "wt-side" }, table),
      make("div", { class: "wt-big" }, big, make("div", { class: "wt-strip" }, ...small.map((s) => s.button)))),
    make("div", { class: "wt-panels" }, ...panels.map((p) => p.element)),
    say,
    make("p", { class: "wt-note" }, "Move the slider, also with the arrow keys; press a small map to see it large.")));
  draw();
  return () => {
    unlink();
    stop();
    still.removeEventListener("change", stop);
  };
}

const EPOCHS_STYLE = `
.wt-epochs input[type=range] { vertical-align: middle; accent-color: #0b62c4; }
.wt-epochs .wt-time output { display: inline-block; min-width: 7em; }
.wt-epochs .wt-side { flex: 1 1 250px; min-width: 0; max-width: 380px; }
.wt.wt-epochs table.wt-weights { display: table; width: 100%; color: inherit; border-collapse: separate; border-spacing: 2px;
  font-size: 11px; margin: 0; table-layout: fixed; }
.wt-epochs .wt-weights caption { caption-side: top; text-align: left; padding: 0 0 4px; color: inherit; font-size: 13px; }
.wt-epochs .wt-weights td { padding: 3px 0; text-align: center; border-radius: 3px; border: 0;
  font-variant-numeric: tabular-nums; }
.wt-epochs .wt-weights th { width: 24px; padding: 0 4px 0 0; text-align: right; font-weight: 400; border: 0; }
.wt-epochs .wt-big canvas { cursor: default; touch-action: auto; }
.wt-epochs .wt-strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(72px, 1fr)); gap: 6px; margin-top: 8px; }
.wt-epochs .wt-strip button { margin: 0; padding: 3px; border: 2px solid #c9c9c9; border-radius: 5px;
  background: none; font-size: 12px; line-height: 1.3; text-align: left; display: flex;
  flex-direction: column; overflow-wrap: anywhere; }
.wt-epochs .wt-strip button[aria-pressed="true"] { border-color: #0b62c4; background: #e6eef8; }
.wt-epochs .wt-strip canvas { width: 100%; image-rendering: pixelated; display: block; border-radius: 3px; margin-bottom: 3px; }
.wt-epochs .wt-panels { display: flex; flex-wrap: wrap; gap: 14px; margin-top: 12px; }
.wt-epochs .wt-panel { flex: 1 1 240px; min-width: 0; max-width: 420px; }
.wt-epochs .wt-panel svg { width: 100%; height: auto; display: block; }
.wt-epochs .wt-legend { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 12px; margin: 0; padding: 0; font-size: 12px; }
.wt-epochs .wt-legend li { margin: 0; }
.wt-epochs .wt-legend i { display: inline-block; width: 12px; height: 4px; margin-right: 4px; vertical-align: middle; }
`;

export default { render };
