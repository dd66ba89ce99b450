// A page that is used by keys alone, and what it shows.

import { waitFor } from "./puppet.mjs";

export function check(right, text) {
  if (!right) throw new Error(text);
}

/** Where a selector is, seen from the focus: "here", "back" or "on"; "" outside the page. */
function whereTo(selector) {
  const focused = document.activeElement;
  const all = [...document.querySelectorAll(selector)];
  const wanted = all.find((e) => e.getAttribute("tabindex") !== "-1");
  if (!document.hasFocus()) return "";
  if (focused.matches(selector)) return "here";
  const before = wanted.compareDocumentPosition(focused) & Node.DOCUMENT_POSITION_FOLLOWING;
  return before && focused !== document.body ? "back" : "on";
}

/**
 * Press Tab, with Shift on the way back, until what has the focus fits a selector.
 *
 * Beyond the page's ends are the browser's own buttons. Firefox then lets no key press a
 * button of the page, though the driver still sends them to it.
 */
export async function tabTo(page, selector, most = 700) {
  for (let i = 0; i < most; i++) {
    const where = await page.evaluate(whereTo, selector);
    check(where, `on the way to ${selector} the focus has left the page`);
    if (where === "here") return;
    if (where === "back") await page.keyboard.down("Shift");
    await page.keyboard.press("Tab");
    if (where === "back") await page.keyboard.up("Shift");
  }
  throw new Error(`no way to ${selector} by the Tab key`);
}

/** What was pressed has the focus still, or what came in its place. */
export async function keepsFocus(page, selector) {
  const kept = await page.evaluate((s) => document.activeElement.matches(s), selector);
  check(kept, `the focus is not on ${selector}`);
}

export const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
};

export const textOf = (page, selector) => page.$eval(selector, (e) => e.innerText);

export const until = (page, selector, part) =>
  waitFor(page, (s, p) => document.querySelector(s)?.innerText.includes(p), selector, part);

/** Whether a canvas shows anything. */
export const drawn = (page, selector) =>
  page.$eval(selector, (canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size > 2;
  });

export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(over <= 0, `${what}: ${over} pixels stick out`);
}
