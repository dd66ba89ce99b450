// What the page adds to the explorers' look.

export const PAGE_STYLE = `
.wt-your_photo.wt-over-me { outline: 3px dashed var(--wt-blue); outline-offset: -3px; }
.wt-photos { display: flex; gap: 8px; overflow-x: auto; padding: 3px; margin-bottom: 8px;
  scrollbar-width: thin; scrollbar-color: var(--wt-edge) transparent; }
.wt .wt-photos button { padding: 3px; border: 2px solid var(--wt-line); background: none;
  flex: none; display: flex; flex-direction: column; align-items: flex-start; font-size: 12px;
  line-height: 1.3; max-width: 128px; }
.wt .wt-photos button[aria-pressed="true"] { border-color: var(--wt-blue); background: var(--wt-hover); }
.wt-photos img, .wt-photos canvas { height: 64px; width: auto; max-width: 118px; object-fit: cover;
  border-radius: 3px; display: block; padding: 0; }
.wt-photos span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 118px; }
.wt .wt-main-button { background: var(--wt-blue); color: var(--wt-on-blue); border-color: var(--wt-blue);
  font-weight: 600; padding: 8px 14px; min-height: 44px; }
.wt .wt-main-button:hover { background: var(--wt-blue); filter: brightness(1.12); }
.wt progress { width: 160px; accent-color: var(--wt-blue); }
.wt [hidden] { display: none !important; }
.wt-pick { position: relative; display: inline-flex; align-items: center; border: 1px solid var(--wt-edge);
  border-radius: 5px; background: var(--wt-key); padding: 4px 12px; min-height: 44px; cursor: pointer; }
.wt-pick:hover { background: var(--wt-hover); }
.wt-pick:has(:focus-visible) { outline: 3px solid var(--wt-blue); outline-offset: 1px; }
.wt-file { position: absolute; inset: 0; opacity: 0; width: 100%; cursor: pointer; }
.wt .wt-credit { margin: 0 0 8px; }
.wt-tabs { display: flex; flex-wrap: wrap; gap: 4px; border-bottom: 2px solid var(--wt-line); margin-bottom: 12px; }
.wt .wt-tabs button { border: 0; border-bottom: 3px solid transparent; border-radius: 5px 5px 0 0;
  background: none; padding: 8px 12px; min-height: 44px; margin-bottom: -2px; }
.wt .wt-tabs button[aria-selected="true"] { border-bottom-color: var(--wt-blue); font-weight: 600; }
.wt-your_photo button[aria-pressed="true"] { border-color: var(--wt-blue); background: var(--wt-hover); }
.wt.wt-your_photo .wt-big canvas { width: 100%; max-height: none; }
.wt-your_photo .wt-big { position: sticky; top: var(--wt-top, 4.5rem); }
/* on phones a large picture leaves room for what changes it */
@container (max-width: 620px) {
  .wt.wt-your_photo .wt-stay > canvas { width: auto; max-width: 100% !important; max-height: 34vh; }
  .wt.wt-your_photo .wt-stay:has(.wt-strip) > canvas { max-height: 24vh; }
}
.wt .wt-bar > .wt-range, .wt-acts > .wt-range { flex-wrap: nowrap; }
.wt-bar > .wt-range input, .wt-acts > .wt-range input { min-width: 0; }
.wt-all-heads { max-width: 460px; }
.wt-all-heads button { position: relative; min-height: 24px; }
.wt-cell-note { display: block; font-size: 10px; line-height: 1.4; text-align: center; }
.wt-cell-note:empty { display: none; }
.wt-axis { font-size: 11px; color: var(--wt-quiet); align-self: center; text-align: center; }
.wt-tags { display: flex; flex-wrap: wrap; gap: 6px; margin: 6px 0 10px; align-items: center; }
.wt-tags button { min-height: 44px; }
.wt-tags button:not([aria-pressed="true"]) { color: var(--wt-quiet); }
.wt .wt-stages { flex: 1 1 220px; margin-top: 0; align-content: start;
  grid-template-columns: repeat(auto-fit, minmax(96px, 1fr)); }
.wt-side { flex: 1 1 280px; min-width: 0; }
.wt-acts { display: flex; flex-wrap: wrap; gap: 6px 8px; align-items: center; margin-bottom: 8px; }
.wt .wt-acts button { min-height: 44px; }
.wt-pair { display: flex; flex-wrap: wrap; gap: 10px; align-items: flex-start; }
.wt .wt-pair canvas { flex: 0 1 auto; max-width: min(100%, 380px); max-height: 380px; touch-action: pan-y;
  border-radius: 4px; }
@container (min-width: 560px) { .wt.wt-your_photo .wt-pair canvas { max-width: calc(50% - 5px); } }
.wt-pair canvas:first-child { cursor: crosshair; }
.wt .wt-colours, .wt .wt-others { grid-template-columns: repeat(auto-fill, minmax(110px, 150px)); }
.wt .wt-main-button { max-width: 100%; }
.wt-scenes .wt-main { margin-bottom: 12px; }
.wt-scenes .wt-acts button { min-width: 44px; }
.wt .wt-two { grid-template-columns: 1fr 1fr; margin-top: 0; }
.wt-two canvas { image-rendering: auto; }
.wt-verdict { font-weight: 600; margin: 8px 0; }
.wt-link input { flex: 1 1 240px; min-width: 0; font: inherit; padding: 6px 8px; min-height: 44px; color: inherit;
  background: var(--wt-key); border: 1px solid var(--wt-edge); border-radius: 5px; }
`;
