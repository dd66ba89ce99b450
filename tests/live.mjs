// An explorer in a live JupyterLab, by keys: node live.mjs JOB.json -> JSON.
//
// The job is that of puppet.mjs; its base is JupyterLab's, its `lab` the notebook's address,
// its `ask` Python that prints what the explorer's traits are.

import { check, press, textOf } from "./keys.mjs";
import { launch, openPage, readJob, waitFor } from "./puppet.mjs";

const job = readJob();
const HEADS = ".wt-heads";

const idle = () =>
  window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === "idle";

/** What Python prints. */
async function printed(code) {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const asked = kernel.requestExecute({ code });
  let text = "";
  asked.onIOPub = ({ content }) => {
    text += content.text ?? "";
  };
  await asked.done;
  return text.trim();
}

const browser = await launch(job);
const trouble = [];
try {
  const page = await openPage(browser, job, 1200, (text) => trouble.push(text));
  await page.goto(job.lab, { waitUntil: "domcontentloaded" });
  await waitFor(page, idle);
  await waitFor(page, (n) => document.querySelectorAll(".jp-CodeCell").length === n, job.cells);
  await page.evaluate(() => {
    window.jupyterapp.commands.execute("notebook:run-all-cells");
  });
  await page.waitForSelector(`${HEADS} .wt-big canvas`);
  await waitFor(page, idle);
  const before = await textOf(page, `${HEADS} .wt-say`);
  await page.focus(`${HEADS} .wt-grid button[aria-pressed=true]`);
  await press(page, "ArrowLeft", "Enter");
  const other = (s, old) => document.querySelector(s).innerText !== old;
  await waitFor(page, other, `${HEADS} .wt-say`, before);
  const said = await textOf(page, `${HEADS} .wt-say`);
  const traits = await page.evaluate(printed, job.ask);
  check(!trouble.some((text) => text.startsWith("asked for")), trouble.join("\n"));
  const version = await browser.version();
  process.stdout.write(JSON.stringify({ browser: version, before, said, traits, trouble }));
} finally {
  await browser.close();
}
