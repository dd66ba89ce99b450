// Patch attention: click a patch, see which patches it attends to.

const PATCHES_STYLE = `
.wt-patches .wt-side { flex: 1 1 260px; min-width: 0; max-width: 440px; }
.wt-map { width: 100%; max-width: 300px; max-height: 300px; object-fit: contain;
  image-rendering: pixelated; border-radius: 4px; display: block; }
.wt-patches .wt-grid { grid-template-columns: repeat(auto-fill, minmax(60px, 1fr));
  margin-top: 4px; }
.wt-patches .wt-grid canvas { max-height: 90px; object-fit: contain; background: #000; }
.wt-patches .wt-grid button:hover { border-color: #6aa5e3; }
.wt-patches .wt-grid span { display: block; font-size: 11px; line-height: 1.3; }
.wt-patches .wt-grid button[aria-pressed="true"] span { color: #fff; }
.wt-patches output { display: inline-block; min-width: 4.5em; font-variant-numeric: tabular-nums; }
`;

async function render({ model, el }) {
  const data = model.get("data");
  const photo = await loadImage(data.jpeg);
  const rows = await unpack(data.attention);
  const [layers, heads] = data.shape;
  const [h, w] = data.grid;
  const count = h * w;
  const { set, at, stop } = connect(model, ["query", "layer", "head"], draw);

  function now() {
    return { query: at("query", count), layer: at("layer", layers), head: at("head", heads, -1) };
  }
  function row(layer) {
    // head -1 is the mean over heads, of rows as they are before scaling to 255
    const { head, query } = now();
    const map = layer * (heads + 1) + (head < 0 ? heads : head);
    const start = (map * count + query) * count;
    return rows.subarray(start, start + count);
  }
  function ask(y, x) {
    const query = y * w + x;
    const there = y >= 0 && y < h && x >= 0 && x < w;
    if (there && query !== model.get("query")) set({ query });
  }
  function pick(event) {
    const box = big.getBoundingClientRect();
    const within = (part, n) => Math.min(n - 1, Math.max(0, Math.floor(part * n)));
    ask(within((event.clientY - box.top) / box.height, h),
      within((event.clientX - box.left) / box.width, w));
  }
  function step(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in move)) return;
    event.preventDefault();
    const { query } = now(), [dy, dx] = move[event.key];
    ask(Math.floor(query / w) + dy, (query % w) + dx);
  }

  const big = make("canvas", { tabindex: "0", role: "application", onkeydown: step });
  onDrag(big, pick);
  const small = make("canvas", { class: "wt-map", role: "img" });
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const number = make("output");
  const slider = make("input", {
    type: "range", min: 1, max: layers, step: 1,
    oninput: () => set({ layer: Number(slider.value) - 1 }),
  });
  const names = [[-1, "mean of all heads"]];
  data.heads.forEach((k, i) => names.push([i, `head ${k + 1}`]));
  const headField = choice("Head", names, model.get("head"), (v) => set({ head: Number(v) }));
  const strip = Array.from({ length: layers }, (_, layer) => {
    const canvas = make("canvas");
    const label = make("span", { "aria-hidden": "true" }, `layer ${layer + 1}`);
    const button = make("button", { type: "button", "aria-label": `layer ${layer + 1}`,
      onclick: () => set({ layer }) }, canvas, label);
    return { canvas, button };
  });

  function draw() {
    const { query, layer, head } = now();
    slider.value = layer + 1;
    slider.setAttribute("aria-valuetext", `layer ${layer + 1} of ${layers}`);
    number.textContent = `${layer + 1} of ${layers}`;
    headField.querySelector("select").value = head;
    drawOverlay(big, photo, row(layer), data.grid, query);
    drawMap(small, row(layer), data.grid);
    strip.forEach(({ canvas, button }, i) => {
      drawMap(canvas, row(i), data.grid);
      button.setAttribute("aria-pressed", i === layer);
    });
    const who = head < 0 ? "mean of all heads" : `head ${data.heads[head] + 1}`;
    const where = `row ${Math.floor(query / w) + 1}, column ${(query % w) + 1}`;
    const text = `${data.name}: what the patch in ${where} attends to in layer ${layer + 1}, ${who}.`;
    say.textContent = text;
    big.setAttribute("aria-label", text + " Arrow keys move the patch.");
    small.setAttribute("aria-label", "the same attention, without the photo");
  }

  el.replaceChildren(make("div", { class: "wt wt-patches" },
    make("style", {}, STYLE + PATCHES_STYLE),
    make("div", { class: "wt-bar" },
      make("label", { class: "wt-field" }, "Layer ", slider), number, headField),
    make("div", { class: "wt-main" },
      make("div", { class: "wt-big" }, big, say),
      make("div", { class: "wt-side" }, small,
        make("p", { class: "wt-note" }, heatLegend("no attention", "most of each map")),
        make("p", { class: "wt-note" }, "The same patch, layer by layer:"),
        make("div", { class: "wt-grid", role: "group", "aria-label": "layers" },
          ...strip.map(({ button }) => button)))),
    make("p", { class: "wt-note" },
      "Click a patch or drag over the photo; or focus it and use the arrow keys.")));
  draw();
  return stop;
}

export default { render };
