// What the page "Your photo" costs in one browser: node page.mjs JOB.json -> JSON.
//
// The job is that of tests/puppet.mjs, with a photo and a number of looks; milliseconds.

import { launch, openPage, readJob, waitFor } from "../tests/puppet.mjs";

const job = readJob();
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
  const here = () => document.querySelector(".wt-scenes .wt-main-button").hidden;
  await waitFor(page, here);
  const said = () => document.querySelector(".wt-verdict").innerText.includes("this scene");
  await waitFor(page, said);
  const moved = await page.evaluate(moves, CHANGES);
  found.scene_redraw = middle(moved.drawn);
  found.scene_answer = middle(moved.answered);
  return found;
}

const browser = await launch(job);
try {
  const trouble = [];
  const page = await openPage(browser, job, 1280, (text) => trouble.push(text));
  const found = await measure(page);
  const version = await browser.version();
  const foreign = trouble.filter((text) => text.startsWith("asked for")).length;
  process.stdout.write(JSON.stringify({ version, ...found, foreign }));
} finally {
  await browser.close();
}
