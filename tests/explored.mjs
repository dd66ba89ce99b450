// The explorers of the chapters, by keys alone: node explored.mjs JOB.json -> JSON.
//
// The job is that of puppet.mjs, with `chapters`: name -> kinds of explorers in it.

import { check, drawn, fits, keepsFocus, press, tabTo, textOf } from "./keys.mjs";
import { launch, openPage, readJob, waitFor } from "./puppet.mjs";

const job = readJob();
const WIDTHS = [1280, 390];
const SLIDER = "input[type=range]";
const ACTS = {
  patches: [".wt-big canvas", "ArrowDown"],
  heads: [".wt-grid button[aria-pressed=true]", "ArrowLeft", "Enter"],
  class_tokens: [".wt-table button[aria-pressed=true]", "ArrowLeft", "Enter"],
  votes: [SLIDER, "End"],
  fusion: [".wt-faders button:not(.wt-layer)", "s"],
  stages: ["input[type=checkbox]", " "],
  training: [SLIDER, "Home"],
  thresholds: [SLIDER, "ArrowLeft"],
  clipping: ["input[type=checkbox]", " "],
  review: [SLIDER, "ArrowRight"],
};
const GROUNDS = { true: "rgb(20, 24, 30)", false: "rgb(255, 255, 255)" };

const ground = (selector) =>
  getComputedStyle(document.querySelector(selector)).backgroundColor;
const saysOther = (selector, text) =>
  document.querySelector(selector).innerText.trim() !== text;

/** One key changes what is said and keeps the focus; Undo takes it back. */
async function use(page, kind) {
  const root = `.wt-${kind}`;
  const [selector, ...keys] = ACTS[kind];
  await page.waitForSelector(`${root} canvas`);
  check((await page.evaluate(ground, root)) === GROUNDS[job.dark], `${kind}: its ground`);
  check(await drawn(page, `${root} canvas`), `${kind}: nothing is drawn`);
  const said = `${root} .wt-say`;
  const before = await textOf(page, said);
  await tabTo(page, `${root} ${selector}`);
  await press(page, ...keys);
  await waitFor(page, saysOther, said, before.trim());
  await keepsFocus(page, `${root} ${selector}`);
}

const browser = await launch(job);
const trouble = [];
const used = [];
try {
  for (const width of WIDTHS)
    for (const [name, kinds] of Object.entries(job.chapters)) {
      const page = await openPage(browser, job, width, (text) => trouble.push(text));
      await page.goto(`${job.base}/${name}.html`, { waitUntil: "domcontentloaded" });
      for (const kind of kinds) await use(page, kind);
      await fits(page, name);
      used.push(...kinds);
      await page.close();
    }
  check(!trouble.length, trouble.join("\n"));
  process.stdout.write(JSON.stringify({ browser: await browser.version(), used }));
} finally {
  await browser.close();
}
