// Patch attention: click a patch, see which patches it attends to.

async function render({ model, el }) {
  const data = model.get("data");
  const photo = await loadImage(data.jpeg);
  const rows = await unpack(data.attention);
  const [layers, heads] = data.shape;
  const [h, w] = data.grid;
  const count = h * w;

  function row() {
    // head -1 is the mean over heads, of rows as they are before scaling to 255
    const layer = model.get("layer"), head = model.get("head"), query = model.get("query");
    const one = (k) => ((layer * (heads + 1) + k) * count + query) * count;
    const start = one(head < 0 ? heads : head);
    return rows.subarray(start, start + count);
  }
  function set(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
    draw();
  }
  function pick(event) {
    const box = big.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * w);
    const y = Math.floor((event.clientY - box.top) / box.height * h);
    set({ query: Math.min(h - 1, Math.max(0, y)) * w + Math.min(w - 1, Math.max(0, x)) });
  }
  function step(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in move)) return;
    event.preventDefault();
    const query = model.get("query"), [dy, dx] = move[event.key];
    const y = Math.floor(query / w) + dy, x = (query % w) + dx;
    if (y >= 0 && y < h && x >= 0 && x < w) set({ query: y * w + x });
  }

  const big = make("canvas", { tabindex: "0", role: "img", onclick: pick, onkeydown: step });
  const small = make("canvas", { class: "wt-map", role: "img" });
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const slider = make("input", {
    type: "range", min: 1, max: layers, step: 1,
    oninput: () => set({ layer: Number(slider.value) - 1 }),
  });
  const names = [[-1, "mean of all heads"]];
  data.heads.forEach((k, i) => names.push([i, `head ${k + 1}`]));
  const headField = choice("Head", names, model.get("head"), (v) => set({ head: Number(v) }));

  function draw() {
    const query = model.get("query"), layer = model.get("layer"), head = model.get("head");
    slider.value = layer + 1;
    headField.querySelector("select").value = head;
    drawOverlay(big, photo, row(), data.grid, query);
    drawMap(small, row(), data.grid);
    const who = head < 0 ? "mean of all heads" : `head ${data.heads[head] + 1}`;
    const where = `row ${Math.floor(query / w) + 1}, column ${(query % w) + 1}`;
    const text = `${data.name}: what the patch in ${where} attends to in layer ${layer + 1}, ${who}.`;
    say.textContent = text;
    big.setAttribute("aria-label", text);
    small.setAttribute("aria-label", "the same attention, without the photo");
  }

  el.replaceChildren(make("div", { class: "wt wt-patches" },
    make("style", {}, STYLE + `.wt-map { width: 100%; max-width: 300px; flex: 1 1 160px;
      image-rendering: pixelated; border-radius: 4px; }
      .wt input[type=range] { vertical-align: middle; accent-color: #0b62c4; }`),
    make("div", { class: "wt-bar" },
      make("label", { class: "wt-field" }, "Layer ", slider), headField),
    make("div", { class: "wt-main" }, make("div", { class: "wt-big" }, big, say), small),
    make("p", { class: "wt-note" },
      "Click a patch, or focus the photo and use the arrow keys.")));
  for (const name of ["query", "layer", "head"]) model.on("change:" + name, draw);
  draw();
}

export default { render };
