// Files that no page should be harmed by: node refused.mjs JOB.json -> JSON.
//
// The job is that of puppet.mjs, with the paths of the files.

import { check, textOf } from "./keys.mjs";
import { launch, openPage, readJob, waitFor } from "./puppet.mjs";

const job = readJob();
const trouble = [];

/** Give the page each file: path -> what is said of it, and whether it is shown. */
async function hostile(browser) {
  const page = await openPage(browser, job, 1280, (text) => trouble.push(text));
  await page.goto(`${job.base}/your_photo.html`, { waitUntil: "domcontentloaded" });
  const ends = {};
  await page.waitForSelector(".wt-your_photo canvas");
  await (await page.$(".wt-your_photo .wt-main-button")).press("Enter");
  await page.waitForSelector(".wt-own", { visible: true });
  const input = await page.$(".wt-file");
  for (const [round, path] of job.files.entries()) {
    const before = (await page.$$(".wt-photos button")).length;
    await input.uploadFile(path);
    await page.waitForSelector(`.wt-photo-bar[data-rounds='${round + 1}']`);
    const said = await textOf(page, ".wt-your_photo .wt-say");
    const taken = (await page.$$(".wt-photos button")).length > before;
    ends[path] = { said, taken };
    if (!taken) continue;
    await page.$$eval(".wt-own button", ([close]) => close.click());
    const gone = (n) => document.querySelectorAll(".wt-photos button").length === n;
    await waitFor(page, gone, before);
  }
  check((await page.evaluate("window.hit")) === undefined, "a file's script has run");
  return ends;
}

const browser = await launch(job);
try {
  const ends = await hostile(browser);
  check(!trouble.length, trouble.join("\n"));
  process.stdout.write(JSON.stringify({ browser: await browser.version(), ends }));
} finally {
  await browser.close();
}
