// Puppeteer for a job: {puppeteer, browser, executable, args, dark, base}, see
// test_clicked.py; it speaks to Chromium and to Firefox.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const ENTRY = "node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js";
const PATIENCE = 90000; // milliseconds; other work may have the processor
const PAUSE = 30;
// Firefox's word on a formula that it draws before it has read all of it
const HALF_READ = /^Invalid markup: Incorrect number of children for <m/;

export const readJob = () => JSON.parse(readFileSync(process.argv[2], "utf8"));

/** The job's browser, headless. */
export async function launch({ puppeteer, browser, executable, args, dark }) {
  const { default: tool } = await import(pathToFileURL(join(puppeteer, ENTRY)));
  const scheme = "layout.css.prefers-color-scheme.content-override";
  return tool.launch({
    browser,
    executablePath: executable,
    args,
    defaultViewport: null,
    extraPrefsFirefox: { [scheme]: dark ? 0 : 1 },
  });
}

/** An empty page; `trouble(text)` hears of errors and of requests to elsewhere. */
export async function openPage(browser, { base }, width, trouble) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => trouble(error.message));
  page.on("console", (m) => {
    if (m.type() === "error" && !HALF_READ.test(m.text())) trouble(m.text());
  });
  page.on("request", (request) => {
    const here = [base, "data:", "blob:"].some((s) => request.url().startsWith(s));
    if (!here) trouble(`asked for ${request.url()}`);
  });
  await page.setViewport({ width, height: 900 });
  return page;
}

/** Until a function of the page says yes; Puppeteer's own way is closed by its policy. */
export async function waitFor(page, asked, ...given) {
  const end = performance.now() + PATIENCE;
  while (!(await page.evaluate(asked, ...given))) {
    if (performance.now() > end) throw new Error(`${asked} ${given}: never`);
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}
