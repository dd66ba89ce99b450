// Use the model in the page as a reader would, by keys alone and then by pointer, in the
// browser that is asked for: node clicked.mjs JOB.json, answers on standard output.
//
// The job is that of puppet.mjs, with a photo. What is wrong is thrown and ends the run.

import { check, drawn, fits, keepsFocus, press, tabTo, textOf, until } from "./keys.mjs";
import { launch, openPage, readJob, waitFor } from "./puppet.mjs";

const job = readJob();
const WIDTHS = [1280, 390];
const CHAPTERS = {
  "03_heads_disagree": "All heads",
  "06_weighting_heads": "Mute",
  "07_from_blobs_to_objects": "fine CAM",
  "09_pseudo_labels": "of the pixels",
};
const trouble = [];

async function open(browser, address, width) {
  const page = await openPage(browser, job, width, (text) => trouble.push(text));
  await page.goto(`${job.base}/${address}`, { waitUntil: "domcontentloaded" });
  return page;
}

const PANEL = (name) => `#wt-panel-${name}`;

/** From a tab by the arrow key to the next one, whose panel then shows something. */
async function nextTab(page, name) {
  await tabTo(page, ".wt-tabs [role=tab]");
  await press(page, "ArrowRight");
  await page.waitForSelector(PANEL(name), { visible: true });
  await fits(page, name);
}

async function heads(page) {
  await nextTab(page, "heads");
  await tabTo(page, `${PANEL("heads")} .wt-big canvas`);
  await press(page, "ArrowRight", "ArrowUp");
  await until(page, PANEL("heads"), "seen from patch row");
  check(await drawn(page, `${PANEL("heads")} .wt-big canvas`), "no map of a head");
  await tabTo(page, `${PANEL("heads")} .wt-grid button`);
  await press(page, "Home", "Enter");
  await until(page, PANEL("heads"), "layer 1, head 1");
  await tabTo(page, `${PANEL("heads")} summary`);
  await press(page, "Enter");
  await page.waitForSelector(`${PANEL("heads")} td`, { visible: true });
}

async function trial(page) {
  await nextTab(page, "trial");
  const head = `${PANEL("trial")} .wt-all-heads button[aria-pressed=true]`;
  await tabTo(page, `${PANEL("trial")} .wt-acts button`);
  await press(page, " ");
  check((await textOf(page, head)).includes("mute"), "Mute does nothing");
  const weights = `${PANEL("trial")} .wt-bar > label:first-child select`;
  await tabTo(page, weights);
  await press(page, "ArrowDown", "ArrowDown");
  const chosen = (s) => document.querySelector(s).value === "last";
  await waitFor(page, chosen, weights);
  check(await drawn(page, `${PANEL("trial")} .wt-big canvas`), "no mask on trial");
}

async function patches(page) {
  await nextTab(page, "patches");
  await tabTo(page, `${PANEL("patches")} .wt-pair canvas`);
  await press(page, "ArrowDown");
  await until(page, PANEL("patches"), "cosine");
  check(await drawn(page, `${PANEL("patches")} .wt-colours canvas`), "no colours");
}

async function keep(page) {
  await nextTab(page, "keep");
  const link = await page.$eval(`${PANEL("keep")} input`, (e) => e.value);
  check(link.includes("tab=keep"), "no link to the view");
}

async function masks(page) {
  await tabTo(page, `${PANEL("classes")} .wt-tags button:nth-child(2)`);
  const tags = `${PANEL("classes")} .wt-tags [aria-pressed=true]`;
  const before = (await page.$$(tags)).length;
  await press(page, " ");
  check((await page.$$(tags)).length !== before, "a tag cannot be added");
  await keepsFocus(page, `${PANEL("classes")} .wt-tags button:nth-child(2)`);
  await tabTo(page, `${PANEL("classes")} input[type=range]`);
  await press(page, "ArrowRight");
  await tabTo(page, `${PANEL("classes")} [data-stage=fine]`);
  await press(page, "Enter");
  await until(page, PANEL("classes"), "fine CAM of");
  check(await drawn(page, `${PANEL("classes")} .wt-big canvas`), "no fine CAM");
}

/** All of the page's first explorer, by keys; files alone are given by the browser. */
async function photo(page) {
  await page.waitForSelector(".wt-your_photo canvas");
  check(await drawn(page, ".wt-your_photo .wt-big canvas"), "the sample is not drawn");
  await tabTo(page, ".wt-your_photo .wt-main-button");
  await press(page, "Enter");
  await page.waitForSelector(".wt-own", { visible: true });
  await keepsFocus(page, ".wt-own .wt-file");
  const input = await page.$(".wt-file");
  await input.uploadFile(job.photo);
  await page.waitForSelector(".wt-photo-bar[data-rounds='1']");
  check((await page.$$(".wt-photos button")).length === 4, "the photo was not taken");
  await masks(page);
  await heads(page);
  await trial(page);
  await patches(page);
  await keep(page);
}

/** The scene, by keys and then by the pointer. */
async function scene(page) {
  const said = ".wt-scenes .wt-verdict";
  await page.waitForSelector(".wt-scenes canvas");
  await tabTo(page, ".wt-scenes .wt-main-button");
  await press(page, "Enter");
  await page.waitForSelector(".wt-scenes .wt-main-button", { hidden: true });
  await keepsFocus(page, ".wt-scene");
  await tabTo(page, ".wt-scene");
  const before = await page.$eval(".wt-scene", (e) => e.getAttribute("aria-label"));
  await press(page, "ArrowRight", "ArrowRight", "ArrowDown");
  await until(page, said, "(this scene)");
  await tabTo(page, ".wt-scenes .wt-acts button");
  await press(page, "Enter");
  const after = await page.$eval(".wt-scene", (e) => e.getAttribute("aria-label"));
  check(before !== after, "no other thing is chosen");
  await page.$eval(".wt-scene", (e) => e.scrollIntoView({ block: "center" }));
  const box = await (await page.$(".wt-scene")).boundingBox();
  const [x, y] = [box.x + 0.36 * box.width, box.y + 0.6 * box.height];
  const first = await textOf(page, ".wt-scenes .wt-side");
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + 0.3 * box.width, y, { steps: 8 });
  await page.mouse.up();
  const other = (s, old) => document.querySelector(s).innerText !== old;
  await waitFor(page, other, ".wt-scenes .wt-side", first);
  await until(page, said, "(this scene)");
  await fits(page, "the scene");
}

/** An explorer inside a chapter; the network is in the browser already. */
async function chapter(browser, name, width) {
  const page = await open(browser, `${name}.html`, width);
  await page.waitForSelector(".wt-later");
  await tabTo(page, ".wt-later :is(a, button)"); // some open when a reader comes near
  if (await page.$(".wt-later > p > button")) await press(page, "Enter");
  await page.waitForSelector(".wt-later .wt canvas");
  await until(page, ".wt-later .wt-main-button", "in this browser already");
  await tabTo(page, ".wt-later .wt-main-button");
  await press(page, "Enter");
  await page.waitForSelector(".wt-later .wt-own", { visible: true });
  await waitFor(page, () => !document.querySelector(".wt-later .wt-say").innerText);
  const text = await textOf(page, ".wt-later");
  check(name.startsWith("03") || text.includes(CHAPTERS[name]), `${name}: ${text}`);
  await fits(page, name);
  await page.close();
}

const browser = await launch(job);
try {
  for (const width of WIDTHS) {
    const page = await open(browser, "your_photo.html", width);
    const dark = "(prefers-color-scheme: dark)";
    check(
      (await page.evaluate((q) => matchMedia(q).matches, dark)) === job.dark,
      "the browser has another scheme",
    );
    await photo(page);
    await scene(page);
    if (job.pictures) {
      const path = `${job.pictures}/${job.browser}-${job.dark ? "dark" : "light"}-${width}.png`;
      await page.screenshot({ path, fullPage: true });
    }
    await page.close();
  }
  for (const name of Object.keys(CHAPTERS)) await chapter(browser, name, 390);
  check(!trouble.length, trouble.join("\n"));
  process.stdout.write(JSON.stringify({ browser: await browser.version() }));
} finally {
  await browser.close();
}
