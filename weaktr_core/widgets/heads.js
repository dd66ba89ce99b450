// Head explorer: a thumbnail per head, one head large, from any query token.

const ORDERS = {
  layer: ["layer", "Layers from the first at the top, heads from left to right."],
  entropy: ["entropy", "Most spread out first, most concentrated last."],
  distance: ["distance", "Farthest looking first, nearest last."],
  agreement: ["agreement with the mean", "Most like the mean of all first, loners last."],
};
const NUMBERS = [
  ["patches", "how many the head effectively looks at: 2 to the entropy of its map in bits. " +
    "Sorting by entropy uses it."],
  ["distance", "how far away, in patches, what it looks at is from the patch that asks, or, " +
    "for a class token, from the centre of the map."],
  ["agreement", "correlation of its map with the mean of all; 1 is alike, 0 unrelated."],
];
const HEADS_STYLE = `
.wt-heads .wt-grid { row-gap: 3px; max-width: 470px; }
.wt-left { flex: 1 1 300px; min-width: 0; max-width: 460px; }
.wt-heads .wt-say { min-height: 1.4em; }
.wt-heads .wt-grid canvas { max-height: 84px; object-fit: contain; border-radius: 2px;
  background: #e4e4e4; }
.wt-heads .wt-grid button:hover { border-color: #6aa5e3; }
.wt-heads .wt-grid button span { display: none; font-size: 10px; line-height: 1.3; }
.wt-sorted .wt-grid button span { display: block; }
.wt-heads .wt-grid button[aria-pressed="true"] span { color: #fff; }
.wt-axis { font-size: 11px; color: #555; align-self: center; text-align: right;
  padding-right: 3px; }
.wt-axis.wt-top { text-align: center; padding: 0; }
.wt-sorted .wt-axis { display: none; }
.wt-heads .wt-order { grid-column: 1 / -1; color: #555; font-size: 13px; margin: 0 0 3px; }
.wt-versus { display: flex; flex-wrap: wrap; gap: 8px 10px; margin-top: 8px; align-items: flex-start; }
.wt-versus > canvas { flex: 0 0 30%; width: 30%; min-width: 0; image-rendering: pixelated;
  border-radius: 4px; border: 2px solid #8a8a8a; max-height: 240px; object-fit: contain; background: #e4e4e4; }
.wt-heads table { border-collapse: collapse; font-size: 13px; flex: 1 1 190px; margin: 0;
  width: auto; color: inherit; }
.wt-heads th, .wt-heads td { padding: 2px 0 2px 5px; text-align: right; font-weight: 400;
  border: 0; border-bottom: 1px solid #ddd; vertical-align: bottom; background: none; }
.wt-heads thead th { font-weight: 600; }
.wt-heads thead span { display: block; white-space: nowrap; }
.wt-heads tbody th { text-align: left; padding-left: 0; }
.wt-heads .wt-keep { margin: 8px 0 0; }
.wt-heads summary { cursor: pointer; width: max-content; }
.wt-heads dl { margin: 4px 0 0; }
.wt-heads dt { font-weight: 600; }
.wt-heads dd { margin: 0 0 4px; }
`;

function statistics(values, mean, columns, asker) {
  // of one map, as the table and the sorting show them
  let total = 0, average = 0, bits = 0;
  values.forEach((v, i) => { total += v; average += mean[i]; });
  if (!total) return { entropy: 0, distance: 0, agreement: 0 };
  average /= values.length;
  const even = total / values.length;
  let [row, column, ab, aa, bb] = [0, 0, 0, 0, 0];
  values.forEach((v, i) => {
    const share = v / total;
    if (v) bits -= share * Math.log2(share);
    row += share * Math.floor(i / columns);
    column += share * (i % columns);
    const [a, b] = [v - even, mean[i] - average];
    ab += a * b;
    aa += a * a;
    bb += b * b;
  });
  // a class token sits nowhere: how far from the centre of what it looks at
  if (asker !== null) [row, column] = [Math.floor(asker / columns), asker % columns];
  let distance = 0;
  values.forEach((v, i) => {
    const [dy, dx] = [Math.floor(i / columns) - row, (i % columns) - column];
    distance += v / total * Math.hypot(dy, dx);
  });
  return { entropy: bits, distance, agreement: ab / Math.sqrt(aa * bb || 1) };
}

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
  const { set, at, stop } = connect(model, ["photo", "query", "layer", "head"], draw);
  let order = "layer", lifted = false;
  let hovered = null, pinned = null; // cells to compare with, else the mean of all heads

  const now = () => photos[at("photo", photos.length)];
  const token = (p) => p.queries[at("query", p.queries.length)];
  const asker = (p) => (token(p) < 0 ? null : token(p));
  const chosen = () => cells[at("layer", layers) * heads + at("head", heads)];
  const lift = (values) =>
    lifted ? values.map((v) => Math.round(Math.sqrt(v * 255))) : values;
  function row(p, { layer, head }) {
    const count = p.grid[0] * p.grid[1], queries = p.attention.shape[2];
    const query = (layer * heads + head) * queries + at("query", p.queries.length);
    return p.rows.subarray(query * count, (query + 1) * count);
  }
  function meanOf(p) {
    const sum = new Float64Array(p.grid[0] * p.grid[1]);
    for (const cell of cells) {
      const values = row(p, cell);
      for (let i = 0; i < sum.length; i++) sum[i] += values[i];
    }
    const most = Math.max(...sum) || 1;
    return Uint8Array.from(sum, (v) => Math.round(255 * v / most));
  }
  const nameOf = (cell) => `layer ${cell.layer + 1}, head ${cell.head + 1}`;
  function queryName(p) {
    const index = asker(p);
    if (index === null) return p.prefix[-1 - token(p)];
    const [y, x] = [Math.floor(index / p.grid[1]), index % p.grid[1]];
    return `patch row ${y + 1}, column ${x + 1}`;
  }

  // ---- the photo: ask from another token
  function ask(query) {
    if (query >= 0 && query !== model.get("query")) set({ query });
  }
  function nearest(p, cost) {
    // index of the kept patch with the least cost(row, column)
    const costs = p.queries.map((t) =>
      t < 0 ? Infinity : cost(Math.floor(t / p.grid[1]), t % p.grid[1]));
    const least = Math.min(...costs);
    return least === Infinity ? -1 : costs.indexOf(least);
  }
  function pick(event) {
    const p = now(), box = big.getBoundingClientRect();
    const column = (event.clientX - box.left) / box.width * p.grid[1] - 0.5;
    const line = (event.clientY - box.top) / box.height * p.grid[0] - 0.5;
    ask(nearest(p, (y, x) => (y - line) ** 2 + (x - column) ** 2));
  }
  const middle = (p) => nearest(p, (y, x) =>
    Math.hypot(y - (p.grid[0] - 1) / 2, x - (p.grid[1] - 1) / 2));
  const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  function step(event) {
    if (!(event.key in MOVES)) return;
    event.preventDefault();
    const p = now(), [dy, dx] = MOVES[event.key], from = asker(p);
    if (from === null) return ask(middle(p));
    const [y0, x0] = [Math.floor(from / p.grid[1]), from % p.grid[1]];
    ask(nearest(p, (y, x) => {
      const ahead = (y - y0) * dy + (x - x0) * dx;
      const aside = Math.abs((y - y0) * dx) + Math.abs((x - x0) * dy);
      return ahead > 0 ? ahead + 9 * aside : Infinity;
    }));
  }

  // ---- the grid: choose a head, compare with another
  function compare(cell) {
    hovered = cell;
    drawVersus(now());
  }
  function walk(event, cell) {
    // keys walk through the grid as it is sorted
    const shown = [...grid.querySelectorAll("button")];
    const i = shown.indexOf(cell.button), last = shown.length - 1;
    const next = { ArrowLeft: i - 1, ArrowRight: i + 1, ArrowUp: i - heads,
      ArrowDown: i + heads, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (shown[next]) shown[next].focus();
  }
  function sorted(p) {
    if (order === "layer") return cells;
    const mean = meanOf(p);
    const score = new Map(cells.map((cell) =>
      [cell, statistics(row(p, cell), mean, p.grid[1], asker(p))[order]]));
    return [...cells].sort((a, b) => score.get(b) - score.get(a));
  }
  function arrange(p) {
    const wanted = sorted(p).map((cell) => cell.button);
    const shown = [...grid.querySelectorAll("button")];
    if (wanted.every((button, i) => button === shown[i])) return;
    const focused = document.activeElement;
    const axes = Array.from({ length: layers }, (_, i) => axis(i + 1));
    const rows = axes.flatMap((a, i) => [a, ...wanted.slice(i * heads, (i + 1) * heads)]);
    grid.replaceChildren(orderText, ...top, ...rows);
    if (grid.contains(focused)) focused.focus({ preventScroll: true });
  }
  function sortBy(value) {
    order = value;
    glide(cells.map((cell) => cell.button), () => {
      root.classList.toggle("wt-sorted", order !== "layer");
      const columns = `repeat(${heads}, minmax(0, 1fr))`;
      grid.style.gridTemplateColumns = (order === "layer" ? "18px " : "") + columns;
      orderText.textContent = ORDERS[order][1];
      arrange(now());
    });
  }

  // ---- what the page consists of
  const axis = (text, kind = "") =>
    make("span", { class: "wt-axis " + kind, "aria-hidden": "true" }, text);
  const big = make("canvas", { tabindex: "0", role: "application", onkeydown: step });
  onDrag(big, pick);
  const side = make("canvas", { role: "img" });
  const table = make("table");
  const pin = make("button", { type: "button", onclick: () => {
    pinned = pinned ? null : chosen();
    drawVersus(now());
  } });
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const grid = make("div", { class: "wt-grid", role: "group", "aria-label": "all heads" });
  const orderText = make("p", { class: "wt-order" });
  const top = [axis(""), ...Array.from({ length: heads }, (_, k) => axis(k + 1, "wt-top"))];
  const cells = Array.from({ length: layers * heads }, (_, i) => {
    const cell = { layer: Math.floor(i / heads), head: i % heads, canvas: make("canvas") };
    const short = `${cell.layer + 1}.${cell.head + 1}`;
    cell.button = make("button", {
      type: "button", title: nameOf(cell), "aria-label": nameOf(cell),
      onclick: () => set({ layer: cell.layer, head: cell.head }),
      onpointerenter: (event) => event.pointerType === "mouse" && compare(cell),
      onpointerleave: () => compare(null),
      onfocus: () => cell.button.matches(":focus-visible") && compare(cell),
      onblur: () => compare(null),
      onkeydown: (event) => walk(event, cell),
    }, cell.canvas, make("span", { "aria-hidden": "true" }, short));
    return cell;
  });
  const tokenField = make("span");
  let tokensOf = null; // the photo whose tokens the field offers
  const orderField = choice("Sort heads by",
    Object.entries(ORDERS).map(([key, [name]]) => [key, name]), order, sortBy);
  const photoField = photos.length < 2 ? "" :
    choice("Photo", photos.map((p, i) => [i, p.name]), at("photo", photos.length),
      (v) => set({ photo: Number(v), query: 0 }));
  const liftBox = make("input", { type: "checkbox", onchange: () => {
    lifted = liftBox.checked;
    draw();
  } });
  const save = make("button", { type: "button", onclick: download }, "Save picture");

  // ---- drawing
  function drawTokens(p) {
    if (tokensOf !== p) {
      tokensOf = p;
      const options = p.prefix.map((name, i) => [p.queries.indexOf(-1 - i), name]);
      if (middle(p) >= 0) options.push(["patch", "a patch (click the photo)"]);
      tokenField.replaceChildren(choice("Seen from", options, "",
        (v) => ask(v === "patch" ? middle(now()) : Number(v))));
    }
    const select = tokenField.querySelector("select");
    select.value = asker(p) === null ? at("query", p.queries.length) : "patch";
  }
  function drawVersus(p) {
    const mean = meanOf(p), cell = hovered || pinned;
    const other = cell ? row(p, cell) : mean;
    const who = cell ? nameOf(cell) : "mean of all";
    // always two lines: what lies below must not move while the pointer is on its way there
    const title = (name) => make("th", { scope: "col" },
      ...name.split(/(?<=, |mean )/).map((part) => make("span", {}, part)));
    drawMap(side, lift(other), p.grid);
    side.style.borderColor = cell && cell === pinned ? "#0b62c4" : "";
    side.setAttribute("aria-label", `to compare: ${who}, seen from ${queryName(p)}`);
    const both = [row(p, chosen()), other].map((v) => statistics(v, mean, p.grid[1], asker(p)));
    const cellsOf = (name, show) => make("tr", {},
      make("th", { scope: "row" }, name), ...both.map((s) => make("td", {}, show(s))));
    table.replaceChildren(
      make("thead", {}, make("tr", {}, make("td"),
        title(nameOf(chosen())), title(who))),
      make("tbody", {},
        cellsOf("patches", (s) => (2 ** s.entropy).toFixed(0)),
        cellsOf("distance", (s) => s.distance.toFixed(1)),
        cellsOf("agreement", (s) => s.agreement.toFixed(2))));
    pin.textContent = pinned ? "Compare with the mean" : "Keep to compare";
    pin.setAttribute("aria-pressed", pinned !== null);
  }
  function draw() {
    const p = now(), cell = chosen();
    if (photoField) photoField.querySelector("select").value = at("photo", photos.length);
    drawTokens(p);
    for (const c of cells) {
      drawMap(c.canvas, lift(row(p, c)), p.grid);
      c.button.setAttribute("aria-pressed", c === cell);
      c.button.setAttribute("tabindex", c === cell ? "0" : "-1");
    }
    arrange(p);
    drawOverlay(big, p.image, lift(row(p, cell)), p.grid, asker(p));
    const text = `${nameOf(cell)}, seen from ${queryName(p)}`;
    big.setAttribute("aria-label",
      `${p.name}: attention of ${text}. Arrow keys move the patch that asks.`);
    say.textContent = `${p.name}: ${text}.`;
    drawVersus(p);
  }

  // ---- one picture of what is seen, to keep or to send
  function download() {
    const sheet = poster(now());
    const link = make("a", { download: "attention-heads.png", href: sheet.toDataURL() });
    link.click();
  }
  function poster(p) {
    const sheet = make("canvas"), context = sheet.getContext("2d");
    const [edge, gap, wide] = [24, 6, 560], ratio = p.grid[0] / p.grid[1];
    const cellWide = 84, cellHigh = cellWide * ratio;
    const high = Math.max(wide * ratio, layers * (cellHigh + gap) - gap);
    sheet.width = wide + heads * (cellWide + gap) - gap + 3 * edge;
    sheet.height = Math.round(high) + 2 * edge + 40;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(big, edge, edge, wide, wide * ratio);
    [...grid.querySelectorAll("button")].forEach((button, i) => {
      const x = wide + 2 * edge + (i % heads) * (cellWide + gap);
      const y = edge + Math.floor(i / heads) * (cellHigh + gap);
      context.fillStyle = "#0b62c4";
      if (button.getAttribute("aria-pressed") === "true")
        context.fillRect(x - 3, y - 3, cellWide + 6, cellHigh + 6);
      context.drawImage(button.querySelector("canvas"), x, y, cellWide, cellHigh);
    });
    context.fillStyle = "#1a1a1a";
    context.font = "18px system-ui, sans-serif";
    context.fillText(say.textContent, edge, sheet.height - edge, sheet.width - 2 * edge);
    return sheet;
  }

  const root = make("div", { class: "wt wt-heads" },
    make("style", {}, STYLE + HEADS_STYLE),
    make("div", { class: "wt-bar" }, photoField, tokenField, orderField,
      make("label", {}, liftBox, "Lift faint values")),
    make("div", { class: "wt-main" },
      make("div", { class: "wt-left" },
        make("div", { class: "wt-big" }, big, say),
        make("div", { class: "wt-versus" }, side, table),
        make("div", { class: "wt-bar wt-keep" }, pin, save)),
      grid),
    make("p", { class: "wt-note" }, heatLegend("no attention", "most of each map")),
    make("p", { class: "wt-note" },
      "Click the photo, or drag over it, to ask from another patch; click a small map to " +
      "see its head large, rest the pointer on it to compare. Arrow keys work on both."),
    make("details", { class: "wt-note" }, make("summary", {}, "What the numbers mean"),
      make("dl", {}, ...NUMBERS.flatMap(([name, text]) =>
        [make("dt", {}, name), make("dd", {}, text)]))));
  el.replaceChildren(root);
  sortBy(order);
  draw();
  return stop;
}

export default { render };
