// Class tokens: where each class's token looks, stage beside stage, class by layer.

async function render({ model, el }) {
  const data = model.get("data");
  const { classes, stages, rows, layers } = data;
  const photos = await Promise.all(
    data.photos.map(async (p) => ({
      ...p,
      image: await loadImage(p.jpeg),
      values: await unpack(p.maps),
    })),
  );

  const { set, at, stop } = connect(model, ["photo", "token", "layer", "stage", "apart"], draw);
  const photoNow = () => at("photo", photos.length), now = () => photos[photoNow()];
  const tokenNow = () => at("token", classes.length), rowNow = () => at("layer", rows.length);
  const stageNow = () => at("stage", stages.length);
  const percent = (thousandths) => `${(thousandths / 10).toFixed(1)} %`;
  function map(p, stage, row, token) {
    const half = model.get("apart") ? 1 : 0;
    const count = p.grid[0] * p.grid[1];
    const index = ((half * stages.length + stage) * rows.length + row) * classes.length + token;
    return p.values.subarray(index * count, (index + 1) * count);
  }
  function turnTo(photo) {
    // stay with the class where the next photo has it, else take one that it has
    const tags = photos[photo].tags, token = tokenNow();
    set({ photo, token: tags[token] || !tags.includes(1) ? token : tags.indexOf(1) });
  }

  const photoField = photos.length < 2 ? "" :
    choice("Photo", photos.map((p, i) => [i, p.name]), photoNow(),
      (v) => turnTo(Number(v)));
  const tokenField = make("span");
  const slider = make("input", {
    type: "range", min: 0, max: rows.length - 1, step: 1,
    oninput: () => set({ layer: Number(slider.value) }),
  });
  const layerName = make("output");
  const apart = make("input", {
    type: "checkbox", onchange: () => set({ apart: apart.checked }),
  });
  const stageField = stages.length < 2 ? "" :
    choice("Small maps", stages.map((s, i) => [i, s]), stageNow(),
      (v) => set({ stage: Number(v) }));
  const panels = stages.map((name) => {
    const canvas = make("canvas", { role: "img" });
    const parts = ["own", "others", "ground"].map((part) => make("i", { class: "wt-" + part }));
    const bar = make("div", { class: "wt-share", "aria-hidden": "true" }, ...parts);
    const text = make("p");
    const box = make("div", { class: "wt-stage" }, make("b", {}, name), canvas, bar, text);
    return { box, canvas, parts, bar, text };
  });
  const say = make("p", { class: "wt-say", "aria-live": "polite" });
  const grid = make("div", { class: "wt-table", role: "group", "aria-label": "all classes and layers" });
  grid.style.setProperty("--rows", rows.length);
  const cells = classes.map((_, token) => rows.map((_, row) => {
    const canvas = make("canvas");
    const button = make("button", {
      type: "button",
      onclick: () => set({ token, layer: row }),
      onkeydown: (event) => walk(event, token, row),
    }, canvas);
    return { canvas, button };
  }));
  const titles = classes.map((name) => make("span", { class: "wt-class" }, name));
  const heads = rows.map((_, row) =>
    row < layers ? make("span", {}, String(row + 1))
      : make("span", { class: "wt-tall" }, row === layers ? "mean" : "weighted"));

  const order = (p) => {
    // classes of the photo first
    const all = classes.map((_, k) => k);
    return [...all.filter((k) => p.tags[k]), ...all.filter((k) => !p.tags[k])];
  };
  function walk(event, token, row) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in move)) return;
    event.preventDefault();
    const sorted = order(now()), [down, across] = move[event.key];
    const next = cells[sorted[sorted.indexOf(token) + down]]?.[row + across];
    if (next) next.button.focus();
  }

  function drawPanel(panel, stage) {
    const p = now(), row = rowNow(), token = tokenNow();
    const away = percent(p.elsewhere[stage][row][token]);
    // small maps are roots; squared, they leave more of the photo to see
    const values = map(p, stage, row, token).map((v) => Math.round(v * v / 255));
    drawOverlay(panel.canvas, p.image, values, p.grid, null);
    panel.canvas.setAttribute("aria-label",
      `${p.name}, ${stages[stage]}: attention of the class token of ${classes[token]}, ${rows[row]}`);
    panel.bar.hidden = !p.own;
    if (!p.own) {
      panel.text.textContent = `${away} elsewhere than the average class token`;
      return `${stages[stage]} ${away}`;
    }
    const own = p.own[stage][row][token], others = p.others[stage][row][token];
    [own, others, 1000 - own - others].forEach((share, i) => {
      panel.parts[i].style.width = share / 10 + "%";
    });
    const mine = p.tags[token] ? `${percent(own)} on ${classes[token]}, ` : "";
    const rest = p.tags[token] ? "other objects" : "objects";
    panel.text.textContent = `${mine}${percent(others)} on ${rest}, ` +
      `${percent(1000 - own - others)} on the ground; ` +
      `${away} elsewhere than the average class token`;
    return `${stages[stage]} ${percent(p.tags[token] ? own : others)}`;
  }
  let laidOut = null, painted = null; // photo, and what the small maps show
  function drawTable(p) {
    const stage = stageNow(), focused = document.activeElement;
    if (laidOut !== p) {
      const lines = order(p).flatMap((k) => [titles[k], ...cells[k].map((c) => c.button)]);
      grid.replaceChildren(make("span"), ...heads, ...lines);
      if (grid.contains(focused)) focused.focus();
    }
    const wanted = [photoNow(), stage, model.get("apart")].join();
    classes.forEach((name, token) => {
      titles[token].classList.toggle("wt-tagged", p.tags[token] === 1);
      rows.forEach((row, index) => {
        const { canvas, button } = cells[token][index];
        const chosen = token === tokenNow() && index === rowNow();
        button.setAttribute("aria-pressed", chosen);
        button.setAttribute("tabindex", chosen ? "0" : "-1");
        if (painted === wanted) return;
        drawMap(canvas, map(p, stage, index, token), p.grid);
        button.title = `${name}${p.tags[token] ? ", in the photo" : ""}, ${row}`;
        button.setAttribute("aria-label", button.title);
      });
    });
    [laidOut, painted] = [p, wanted];
  }
  function draw() {
    const p = now(), token = tokenNow(), row = rowNow();
    const options = order(p).map((k) => [k, classes[k] + (p.tags[k] ? " (in the photo)" : "")]);
    const had = tokenField.contains(document.activeElement);
    tokenField.replaceChildren(
      choice("Class", options, token, (v) => set({ token: Number(v) })));
    if (had) tokenField.querySelector("select").focus();
    if (photoField) photoField.querySelector("select").value = photoNow();
    if (stageField) stageField.querySelector("select").value = stageNow();
    slider.value = row;
    slider.setAttribute("aria-valuetext", rows[row]);
    layerName.textContent = rows[row];
    apart.checked = model.get("apart");
    const said = panels.map(drawPanel).join(", ");
    const measured = !p.own ? "Elsewhere than the average class token"
      : p.tags[token] ? `Share on ${classes[token]}` : "Share on objects";
    const even = !p.own ? "" :
      ` (looking evenly: ${percent(p.tags[token] ? p.even[0][token] : p.even[1][token])})`;
    const what = model.get("apart") ? "what sets it apart" : "its attention";
    say.textContent = `${p.name}: class token of ${classes[token]}, ${rows[row]}, ${what}. ` +
      `${measured}: ${said}${even}.`;
    drawTable(p);
  }

  const key = ["own", "others", "ground"].map((part, i) => make("span", {},
    make("i", { class: "wt-" + part }), [" the class itself ", " other objects ", " ground"][i]));
  el.replaceChildren(make("div", { class: "wt wt-tokens" },
    make("style", {}, STYLE + TOKENS_STYLE),
    make("div", { class: "wt-bar" }, photoField, tokenField,
      make("label", { class: "wt-field" }, "Layer ", slider, " ", layerName),
      make("label", { class: "wt-field" }, apart, " only what sets the class apart")),
    make("div", { class: "wt-main" }, ...panels.map((one) => one.box)),
    photos.some((p) => p.own) ? make("p", { class: "wt-note wt-key" }, ...key) : "",
    say,
    make("div", { class: "wt-bar" }, stageField),
    grid,
    make("p", { class: "wt-note" },
      "Rows are classes, those in the photo first and bold; columns are layers. Small maps " +
      "show the square root of the attention; every map has its own scale. Click a small map, " +
      "or walk with the arrow keys and press Enter.")));
  draw();
  return stop;
}

const TOKENS_STYLE = `
.wt-stage { flex: 1 1 140px; min-width: 0; max-width: 330px; }
.wt-stage canvas { width: 100%; height: auto; display: block; border-radius: 4px;
  margin-top: 4px; touch-action: manipulation; }
.wt-stage p { margin: 4px 0 0; font-size: 13px; }
.wt-share { display: flex; height: 10px; margin-top: 6px; }
.wt-share[hidden] { display: none; }
.wt-share i, .wt-key i { background: #b8b8b8; }
.wt-share .wt-own, .wt-key .wt-own { background: #0072b2; }
.wt-share .wt-others, .wt-key .wt-others { background: #e69f00; }
.wt-key { display: flex; flex-wrap: wrap; gap: 2px 14px; }
.wt-key i { display: inline-block; width: 12px; height: 10px; }
.wt-table { display: grid; gap: 2px; max-width: 600px; align-items: center;
  grid-template-columns: minmax(0, 5.5em) repeat(var(--rows), minmax(0, 1fr)); }
.wt-table span { font-size: 12px; line-height: 1.2; text-align: center; overflow: hidden;
  align-self: end; }
.wt-table .wt-tall { writing-mode: vertical-rl; transform: rotate(180deg);
  justify-self: center; }
.wt-table .wt-class { align-self: center; text-align: left; text-overflow: ellipsis; white-space: nowrap; }
.wt-table .wt-tagged { font-weight: 700; }
.wt .wt-table button { padding: 0; border: 2px solid transparent; border-radius: 4px;
  min-height: 0; background: none; line-height: 0; }
.wt .wt-table button[aria-pressed="true"] { border-color: #0b62c4; background: #0b62c4; }
.wt-table canvas { width: 100%; image-rendering: pixelated; display: block; }
.wt input[type=range] { vertical-align: middle; accent-color: #0b62c4; }
.wt output { display: inline-block; min-width: 11em; }
@media (max-width: 480px) {
  .wt-table { grid-template-columns: repeat(var(--rows), minmax(0, 1fr)); gap: 1px; }
  .wt-table .wt-class { grid-column: 1 / -1; margin-top: 2px; }
  .wt-table > span:first-child { display: none; }
}
`;

export default { render };
