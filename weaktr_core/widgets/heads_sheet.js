// One picture of what is seen, to keep or to send.

import { photoOf } from "./heads_state.js";
import { make } from "./shared.js";

export function download(view) {
  const href = sheetOf(view, photoOf(view)).toDataURL();
  make("a", { download: "attention-heads.png", href }).click();
}

function sheetOf(view, p) {
  const { big, grid, say } = view.parts;
  const sheet = make("canvas");
  const context = sheet.getContext("2d");
  const [edge, gap, wide] = [24, 6, 560];
  const ratio = p.grid[0] / p.grid[1];
  const [cellWide, cellHigh] = [84, 84 * ratio];
  const high = Math.max(wide * ratio, view.layers * (cellHigh + gap) - gap);
  sheet.width = wide + view.heads * (cellWide + gap) - gap + 3 * edge;
  sheet.height = Math.round(high) + 2 * edge + 40;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  context.drawImage(big, edge, edge, wide, wide * ratio);
  [...grid.querySelectorAll("button")].forEach((press, i) => {
    const x = wide + 2 * edge + (i % view.heads) * (cellWide + gap);
    const y = edge + Math.floor(i / view.heads) * (cellHigh + gap);
    context.fillStyle = "#0b62c4";
    if (press.getAttribute("aria-pressed") === "true")
      context.fillRect(x - 3, y - 3, cellWide + 6, cellHigh + 6);
    context.drawImage(press.querySelector("canvas"), x, y, cellWide, cellHigh);
  });
  context.fillStyle = "#1a1a1a";
  context.font = "18px system-ui, sans-serif";
  context.fillText(say.textContent, edge, sheet.height - edge, sheet.width - 2 * edge);
  return sheet;
}
