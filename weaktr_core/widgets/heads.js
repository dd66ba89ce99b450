// Head explorer: a thumbnail per head, one head large, from any query token.

async function render({ model, el }) {
  const data = model.get("data");
  const photos = await Promise.all(
    data.photos.map(async (p) => ({
      ...p,
      image: await loadImage(p.jpeg),
      rows: await unpack(p.attention),
    })),
  );
  const [layers, heads] = data.shape;
  let order = "layer";
  let other = null; // the head under the pointer, to compare

  const now = () => photos[model.get("photo")];
  const count = (p) => p.grid[0] * p.grid[1];
  const row = (p, layer, head) => {
    const queries = p.attention.shape[2];
    const start = ((layer * heads + head) * queries + model.get("query")) * count(p);
    return p.rows.subarray(start, start + count(p));
  };
  const patchOf = (p) => {
    const token = p.queries[model.get("query")];
    return token < 0 ? null : token;
  };
  const queryName = (p) => {
    const token = p.queries[model.get("query")];
    if (token < 0) return p.prefix[-1 - token];
    return `patch row ${Math.floor(token / p.grid[1]) + 1}, column ${(token % p.grid[1]) + 1}`;
  };

  const big = make("canvas", { tabindex: "0", role: "img", onclick: pick, onkeydown: step });
  const grid = make("div", { class: "wt-grid", role: "group", "aria-label": "all heads" });
  grid.style.gridTemplateColumns = `repeat(${heads}, 1fr)`;
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const tokenField = make("span");
  const photoField = photos.length < 2 ? "" :
    choice("Photo", photos.map((p, i) => [i, p.name]), model.get("photo"),
      (v) => set({ photo: Number(v), query: 0 }));
  const orderField = choice("Sort heads by",
    [["layer", "layer"], ["entropy", "entropy"], ["distance", "distance"],
     ["agreement", "agreement with the mean"]], order, (v) => { order = v; draw(); });
  const cells = [];
  for (let i = 0; i < layers * heads; i++) {
    const canvas = make("canvas");
    const layer = Math.floor(i / heads), head = i % heads;
    const button = make("button", {
      type: "button",
      onclick: () => { other = null; set({ layer, head }); },
      onpointerenter: (e) => e.pointerType === "mouse" && compare([layer, head]),
      onpointerleave: () => compare(null),
      onkeydown: (event) => walk(event, i),
    }, canvas);
    cells.push({ layer, head, canvas, button });
  }

  function set(values) {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
    draw();
  }
  function compare(head) {
    other = head;
    drawBig();
  }
  function pick(event) {
    const p = now(), box = big.getBoundingClientRect();
    const column = (event.clientX - box.left) / box.width * p.grid[1];
    const line = (event.clientY - box.top) / box.height * p.grid[0];
    let best = -1, least = Infinity;
    p.queries.forEach((token, i) => {
      if (token < 0) return;
      const dy = Math.floor(token / p.grid[1]) + 0.5 - line;
      const dx = (token % p.grid[1]) + 0.5 - column;
      if (dx * dx + dy * dy < least) [best, least] = [i, dx * dx + dy * dy];
    });
    if (best >= 0) set({ query: best });
  }
  function step(event) {
    // arrow keys move the query patch
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in move)) return;
    event.preventDefault();
    const p = now(), [dy, dx] = move[event.key];
    const place = (t) => [Math.floor(t / p.grid[1]), t % p.grid[1]];
    const patches = p.queries.map((t, i) => [t, i]).filter(([t]) => t >= 0);
    const from = place(Math.max(p.queries[model.get("query")], 0));
    let best = null, least = Infinity;
    for (const [token, index] of patches) {
      const [y, x] = place(token);
      const ahead = (y - from[0]) * dy + (x - from[1]) * dx;
      const aside = Math.abs((y - from[0]) * dx) + Math.abs((x - from[1]) * dy);
      if (ahead > 0 && ahead + 9 * aside < least) [best, least] = [index, ahead + 9 * aside];
    }
    if (best !== null) set({ query: best });
  }
  function walk(event, index) {
    // arrow keys walk through the grid as it is sorted
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -heads, ArrowDown: heads };
    if (!(event.key in move)) return;
    event.preventDefault();
    const shown = [...grid.children];
    const next = shown[shown.indexOf(cells[index].button) + move[event.key]];
    if (next) next.focus();
  }

  function measure(p, cell, mean) {
    const values = row(p, cell.layer, cell.head), w = p.grid[1];
    const total = values.reduce((a, b) => a + b, 0) || 1;
    if (order === "entropy")
      return -values.reduce((s, v) => s + (v ? v / total * Math.log(v / total) : 0), 0);
    if (order === "distance") {
      const token = patchOf(p);
      let centre = [0, 0];
      if (token === null)
        values.forEach((v, i) => { centre[0] += v / total * Math.floor(i / w); centre[1] += v / total * (i % w); });
      else centre = [Math.floor(token / w), token % w];
      return values.reduce((s, v, i) =>
        s + v / total * Math.hypot(Math.floor(i / w) - centre[0], (i % w) - centre[1]), 0);
    }
    if (order === "agreement") {
      const n = values.length, a = total / n, b = mean.reduce((x, y) => x + y, 0) / n;
      let ab = 0, aa = 0, bb = 0;
      values.forEach((v, i) => {
        ab += (v - a) * (mean[i] - b); aa += (v - a) ** 2; bb += (mean[i] - b) ** 2;
      });
      return ab / Math.sqrt(aa * bb || 1);
    }
    return 0;
  }
  function sorted(p) {
    if (order === "layer") return cells;
    const mean = new Float64Array(count(p));
    for (const c of cells) row(p, c.layer, c.head).forEach((v, i) => { mean[i] += v; });
    const scored = cells.map((c) => [measure(p, c, mean), c]);
    scored.sort((a, b) => b[0] - a[0]);
    return scored.map(([, c]) => c);
  }

  function drawBig() {
    const p = now();
    const [layer, head] = other || [model.get("layer"), model.get("head")];
    drawOverlay(big, p.image, row(p, layer, head), p.grid, patchOf(p));
    const text = `layer ${layer + 1}, head ${head + 1}, seen from ${queryName(p)}`;
    big.setAttribute("aria-label", `${p.name}: attention of ${text}`);
    if (other) say.textContent = `Comparing: ${text}.`;
    else say.textContent = `${p.name}: ${text}. Brighter is more attention.`;
  }
  function draw() {
    const p = now();
    const patches = p.prefix.map((name, i) => [p.queries.indexOf(-1 - i), name]);
    const value = patchOf(p) === null ? model.get("query") : "";
    if (value === "") patches.push(["", "a patch (click the photo)"]);
    tokenField.replaceChildren(
      choice("Seen from", patches, value, (v) => v !== "" && set({ query: Number(v) })));
    const focused = document.activeElement;
    grid.replaceChildren(...sorted(p).map((c) => c.button));
    if (grid.contains(focused)) focused.focus();
    for (const c of cells) {
      drawMap(c.canvas, row(p, c.layer, c.head), p.grid);
      const chosen = c.layer === model.get("layer") && c.head === model.get("head");
      c.button.setAttribute("aria-pressed", chosen);
      c.button.setAttribute("tabindex", chosen ? "0" : "-1");
      c.button.setAttribute("aria-label", `layer ${c.layer + 1}, head ${c.head + 1}`);
      c.button.title = `layer ${c.layer + 1}, head ${c.head + 1}`;
    }
    drawBig();
  }

  el.replaceChildren(make("div", { class: "wt wt-heads" },
    make("style", {}, STYLE),
    make("div", { class: "wt-bar" }, photoField, tokenField, orderField),
    make("div", { class: "wt-main" }, make("div", { class: "wt-big" }, big, say), grid),
    make("p", { class: "wt-note" },
      "Click the photo to ask from another patch; click a small map to see its head large. " +
      "Rows are layers, from the first at the top; arrow keys work on both.")));
  for (const name of ["photo", "query", "layer", "head"]) model.on("change:" + name, draw);
  draw();
}

export default { render };
