// What the page "Your photo" costs in one browser: node page.mjs JOB.json -> JSON.
//
// The job: {puppeteer, browser, executable, args, base, photo, looks}; milliseconds.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ENTRY = "node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js";
const { default: puppeteer } = await import(pathToFileURL(join(job.puppeteer, ENTRY)));
const PATIENCE = 120000;
const CHANGES = 20;

const middle = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** One forward pass after the other, on noise of 224 x 224 pixels. */
async function looks(count) {
  const [name] = Object.keys(globalThis.weaktrWorkers);
  const ask = await globalThis.weaktrWorkers[name];
  const [side, times] = [224, []];
  for (let i = 0; i < count; i++) {
    const rgba = new Uint8ClampedArray(4 * side * side).map((_, k) => (k * 37 + i) % 256);
    const given = { photo: "speed", rgba, size: [side, side], grid: [16, 16] };
    const start = performance.now();
    let last = start; // the end of the last layer
    await ask("look", given, [rgba.buffer], () => {
      last = performance.now();
    });
    times.push(last - start);
  }
  return times;
}

/** A slider's changes, each with all that is drawn anew; the explorer times itself. */
async function changes([selector, root, count]) {
  const slider = document.querySelector(selector);
  const times = [];
  for (let i = 0; i < count; i++) {
    slider.value = Number(slider.max) * (((i * 7) % count) / count);
    slider.dispatchEvent(new Event("input"));
    times.push(Number(document.querySelector(root).dataset.milliseconds));
    await new Promise((done) => setTimeout(done, 150));
  }
  return times;
}

/** Moves of a thing in the scene, until the network has answered each. */
async function moves(count) {
  const canvas = document.querySelector(".wt-scene");
  const root = document.querySelector(".wt-scenes");
  const said = root.querySelector(".wt-verdict");
  const times = { drawn: [], answered: [] };
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const key = i % 2 ? "ArrowLeft" : "ArrowRight";
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
    times.drawn.push(performance.now() - start);
    while (!said.textContent.includes("this scene"))
      await new Promise((done) => setTimeout(done, 5));
    times.answered.push(performance.now() - start);
  }
  return times;
}

async function measure(page) {
  const found = {};
  found.canvas = await timed(async () => {
    await page.goto(`${job.base}/your_photo.html`, { waitUntil: "domcontentloaded" });
    await page.waitForSelector(".wt-your_photo canvas");
  });
  found.ready = await timed(async () => {
    await page.$eval(".wt-your_photo .wt-main-button", (press) => press.click());
    await page.waitForSelector(".wt-own", { visible: true });
  });
  const input = await page.$(".wt-file");
  found.photo = await timed(async () => {
    await input.uploadFile(job.photo);
    await page.waitForSelector(".wt-photo-bar[data-rounds='1']");
  });
  const passes = await page.evaluate(looks, job.looks);
  Object.assign(found, { forward: middle(passes), forward_least: Math.min(...passes) });
  await page.$eval("#wt-tab-trial", (press) => press.click());
  const slider = "#wt-panel-trial .wt-acts input";
  const drawn = await page.evaluate(changes, [slider, ".wt-your_photo", CHANGES]);
  Object.assign(found, { redraw: middle(drawn), redraw_most: Math.max(...drawn) });
  const scene = await page.$(".wt-scenes .wt-main-button");
  if (!scene) return found; // its network had not been trained
  await scene.evaluate((press) => press.click());
  await page.waitForFunction(
    () => document.querySelector(".wt-scenes .wt-main-button").hidden,
  );
  await page.waitForFunction(() =>
    document.querySelector(".wt-verdict").innerText.includes("this scene"),
  );
  const moved = await page.evaluate(moves, CHANGES);
  found.scene_redraw = middle(moved.drawn);
  found.scene_answer = middle(moved.answered);
  return found;
}

const browser = await puppeteer.launch({
  browser: job.browser,
  executablePath: job.executable,
  args: job.args,
  defaultViewport: null,
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  let foreign = 0;
  page.on("request", (request) => {
    if (![job.base, "data:", "blob:"].some((s) => request.url().startsWith(s))) foreign++;
  });
  await page.setViewport({ width: 1280, height: 900 });
  const found = await measure(page);
  const version = await browser.version();
  process.stdout.write(JSON.stringify({ version, ...found, foreign }));
} finally {
  await browser.close();
}
