// What the reader changes: kept in the model that anywidget or the page gives.

import { button } from "./dom.js";
import { followScheme } from "./style.js";

const TOGETHER = 700; // ms; a slider's run of changes is undone at once

/** Hosts without a kernel may refuse to save or to stop listening, as mystmd's theme does. */
function unlessRefused(act) {
  try {
    act();
  } catch {
    // nobody would have heard of it
  }
}

/**
 * Tie an explorer to its model.
 *
 * @param model anywidget's model, or the page's: get, set, on, off, save_changes.
 * @param names the traits that are drawn.
 * @param draw called after changes, the reader's and Python's.
 * @returns `set(values, …)` changes traits and draws once, passing the rest on to `draw`;
 *   `write(values)` draws nothing; `at(name, end, least)` is a whole-number trait within
 *   its bounds (Python may set more than there is); `undo()` goes back a step of the
 *   reader's, `undoField` is its button; `stop()` ends listening.
 */
export function connect(model, names, draw) {
  let busy = false;
  const heard = () => busy || draw();
  for (const name of names) model.on(`change:${name}`, heard);
  const write = (values) => {
    busy = true;
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    busy = false;
    unlessRefused(() => model.save_changes());
  };
  const past = history(model, names);
  const set = (values, ...how) => {
    past.note(values);
    write(values);
    draw(...how);
  };
  const undo = () => {
    const before = past.back();
    if (before === null) return;
    write(before);
    draw();
  };
  const undoField = button("Undo", undo);
  past.onchange = (empty) => undoField.setAttribute("aria-disabled", empty);
  past.onchange(true);
  const at = (name, end, least = 0) => Math.min(Math.max(model.get(name), least), end - 1);
  const stop = () => {
    for (const name of names) unlessRefused(() => model.off(`change:${name}`, heard));
  };
  return { set, write, at, stop, undo, undoField };
}

/** Steps of the reader's, newest last; quick changes of the same traits are one. */
function history(model, names) {
  const steps = [];
  let last = { kind: "", time: 0 };
  const self = {
    onchange: () => {},
    note(values) {
      const now = { kind: Object.keys(values).join(), time: Date.now() };
      const changed = Object.keys(values).some(
        (name) => JSON.stringify(model.get(name)) !== JSON.stringify(values[name]),
      );
      const more = now.kind === last.kind && now.time - last.time < TOGETHER;
      if (!changed) return;
      if (!more || !steps.length)
        steps.push(Object.fromEntries(names.map((name) => [name, model.get(name)])));
      last = now;
      self.onchange(false);
    },
    back() {
      last = { kind: "", time: 0 };
      const step = steps.pop() ?? null;
      self.onchange(!steps.length);
      return step;
    },
  };
  return self;
}

/**
 * Links in the text, and the page's own address, set an explorer's state, and where its
 * styles end at a shadow root, it is told of the page's dark ground (see `followScheme`):
 * `?wt-heads&layer=2&head=4#section` its traits, `?wt-heads&finding=1#section` what Python
 * gave as the first of `data.findings`. Without scripts such a link leads to the section.
 *
 * @param kind of the explorer; the first of its kind on a page listens.
 * @param root its element.
 * @param view with the model, `set` and `data`.
 * @returns a function that ends listening.
 */
export function followPage(kind, root, view) {
  const follow = (href) => {
    const [, named, query] = /\?wt-(\w+)&([^#]*)/.exec(href) ?? [];
    if (named !== kind) return false;
    if (root.getRootNode().querySelector(`.wt-${kind}`) !== root) return false;
    const values = wanted(new URLSearchParams(query), view);
    if (Object.keys(values).length) view.set(values);
    return true;
  };
  const clicked = (event) => {
    const link = event.target.closest?.("a[href*='?wt-']");
    if (!link || !follow(link.getAttribute("href"))) return;
    event.preventDefault();
    event.stopPropagation();
    root.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("click", clicked, true);
  follow(location.search);
  const leave = followScheme(root);
  return () => {
    leave();
    document.removeEventListener("click", clicked, true);
  };
}

/** Traits that a link asks for, each of the type that it has. */
function wanted(query, { model, data }) {
  const finding = (data.findings ?? [])[Number(query.get("finding")) - 1];
  const values = { ...finding?.state };
  for (const [name, text] of query) {
    const now = model.get(name);
    const value = { number: Number(text), boolean: text === "true", string: text }[
      typeof now
    ];
    if (name !== "data" && value !== undefined && !Number.isNaN(value))
      values[name] = value;
  }
  return values;
}
