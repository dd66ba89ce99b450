// One look for all explorers, light and dark; lengths follow the explorer's own width.

const LIGHT = `color-scheme: light; --wt-ground: #fff; --wt-ink: #1a1a1a; --wt-quiet: #555;
  --wt-line: #c9c9c9; --wt-edge: #767676; --wt-key: #f4f4f4; --wt-hover: #e6eef8;
  --wt-blue: #0b62c4; --wt-on-blue: #fff; --wt-faint: #ddd; --wt-empty: #e4e4e4;
  --wt-good: #00664b; --wt-bar: #dcdcdc;`;
const DARK = `color-scheme: dark; --wt-ground: #14181e; --wt-ink: #e8e8e8; --wt-quiet: #b3b9c2;
  --wt-line: #48505b; --wt-edge: #8b949e; --wt-key: #2a313b; --wt-hover: #34404f;
  --wt-blue: #6cb2ff; --wt-on-blue: #0d1117; --wt-faint: #39414c; --wt-empty: #2a313b;
  --wt-good: #5bd6a9; --wt-bar: #4a525d;`;
// the book's theme, Colab and JupyterLab each have their own word for it
const IN_DARK = `:is(html[data-theme="dark"], html[theme="dark"],
  body[data-jp-theme-light="false"]) .wt`;

/** In a shadow root, as mystmd's theme makes one, none of these words is heard. */
export function followScheme(root) {
  const page = document.documentElement;
  if (root.getRootNode() === document) return () => {};
  const follow = () => root.classList.toggle("wt-dark", page.classList.contains("dark"));
  const watch = new MutationObserver(follow);
  watch.observe(page, { attributeFilter: ["class"] });
  follow();
  return () => watch.disconnect();
}

export const STYLE = `
.wt { ${LIGHT} }
${IN_DARK}, .wt-dark.wt { ${DARK} }
@media (prefers-color-scheme: dark) { html[data-wt-scheme="auto"] .wt { ${DARK} } }
.wt { background: var(--wt-ground); color: var(--wt-ink); border: 1px solid var(--wt-line);
  border-radius: 8px; padding: 12px; font: 14px/1.4 system-ui, sans-serif;
  max-width: 100%; box-sizing: border-box; text-align: left; margin: 8px 0;
  overflow-wrap: break-word; container-type: inline-size; }
.wt * { box-sizing: border-box; }
.wt-bar { display: flex; flex-wrap: wrap; gap: 8px 16px; margin-bottom: 10px;
  align-items: center; }
.wt select, .wt button { font: inherit; color: inherit; background: var(--wt-key);
  border: 1px solid var(--wt-edge); border-radius: 5px; padding: 4px 8px; min-height: 32px; }
.wt-bar > *, .wt-field, .wt select { min-width: 0; max-width: 100%; }
.wt-field { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 2px 6px; }
.wt button:hover, .wt select:hover { background: var(--wt-hover); }
.wt button[aria-disabled="true"] { color: var(--wt-quiet); background: none; }
.wt :focus-visible { outline: 3px solid var(--wt-blue); outline-offset: 1px; }
.wt p { color: inherit; }
.wt-main { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.wt-big { flex: 1 1 300px; min-width: 0; max-width: 560px; }
.wt-big canvas { width: 100%; height: auto; display: block; border-radius: 4px;
  cursor: crosshair; touch-action: pan-y; }
.wt canvas.wt-over { width: auto; max-width: 100%; max-height: 560px; display: block; }
.wt-grid { display: grid; gap: 2px; flex: 1 1 280px; min-width: 0; }
.wt .wt-grid button { padding: 0; border: 2px solid transparent; border-radius: 4px;
  min-height: 0; background: none; line-height: 0; }
.wt .wt-grid button[aria-pressed="true"] { border-color: var(--wt-blue);
  background: var(--wt-blue); color: var(--wt-on-blue); }
.wt-grid canvas { width: 100%; image-rendering: pixelated; display: block; }
.wt-say { min-height: 2.8em; margin: 8px 0 0; }
.wt .wt-note { color: var(--wt-quiet); font-size: 13px; margin: 6px 0 0; }
.wt-heat { display: inline-flex; align-items: center; gap: 6px; font-size: 13px;
  color: var(--wt-quiet); white-space: nowrap; }
.wt-ramp { width: 72px; height: 10px; border-radius: 5px; border: 1px solid var(--wt-edge); }
.wt input[type=range] { vertical-align: middle; accent-color: var(--wt-blue); }
.wt input[type=checkbox] { width: 18px; height: 18px; margin: 0;
  accent-color: var(--wt-blue); }
.wt-value { display: inline-block; min-width: 3.2em; font-variant-numeric: tabular-nums; }
.wt .wt-classes { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px;
  margin: 6px 0 0; padding: 0; }
.wt .wt-classes li { margin: 0; }
.wt-swatch { display: inline-block; width: 13px; height: 13px; margin-right: 5px;
  border: 1px solid var(--wt-edge); vertical-align: -1px; }
.wt .wt-strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(76px, 1fr));
  gap: 8px; margin-top: 10px; }
.wt .wt-strip > * { margin: 0; padding: 3px; border: 2px solid var(--wt-line);
  border-radius: 5px; background: none; font-size: 12px; line-height: 1.3; text-align: left;
  display: flex; flex-direction: column; overflow-wrap: anywhere; }
.wt .wt-strip > div { border-color: transparent; }
.wt .wt-strip button[aria-pressed="true"] { border-color: var(--wt-blue);
  background: var(--wt-hover); }
.wt-strip canvas { width: 100%; image-rendering: pixelated; display: block;
  border-radius: 3px; margin-bottom: 3px; }
.wt summary { cursor: pointer; width: max-content; max-width: 100%; }
.wt.wt table { display: table; border-collapse: collapse; font-size: 13px; width: auto;
  margin: 0; color: inherit; }
.wt.wt th, .wt.wt td { padding: 2px 7px; border: 0; border-bottom: 1px solid var(--wt-faint);
  text-align: right; font-variant-numeric: tabular-nums; background: none; color: inherit; }
.wt.wt th { font-weight: 600; white-space: normal; }
.wt.wt caption { text-align: left; caption-side: top; padding: 0 0 4px; color: inherit; }
/* on phones the large picture stays in sight; the book's header is above it */
@container (max-width: 620px) {
  .wt-main:has(.wt-stay), .wt-body:has(.wt-stay) { display: block; }
  .wt-stay { position: sticky; top: var(--wt-top, 0px); z-index: 2; max-width: none;
    background: var(--wt-ground); padding-bottom: 6px; margin-bottom: 6px; }
  .wt-stay canvas.wt-over, .wt-stay > canvas { max-height: 34vh; width: auto; }
}
@media (pointer: coarse) {
  .wt select, .wt button, .wt summary, .wt-field { min-height: 44px; }
  .wt summary { padding: 10px 0; }
  .wt input[type=range] { height: 44px; }
  .wt input[type=checkbox] { width: 24px; height: 24px; }
}
`;
