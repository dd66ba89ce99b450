// The view as the end of an address, and back. No photo is in it, samples by their place.

import { FEATURES } from "./features.js";
import { fromText, toText } from "./setting.js";

const PREFIX = "#wt-your-photo?";
const NUMBERS = ["photo", "token", "head", "shown", "layer"];

/** "#wt-your-photo?tab=…" of a view. */
export function writeLink(view) {
  const query = new URLSearchParams({ tab: view.tab, kind: view.kind });
  for (const name of NUMBERS) if (view[name] !== null) query.set(name, view[name]);
  query.set("threshold", view.threshold);
  query.set("trial", toText(view.trial));
  return PREFIX + query;
}

/** What of a view an address sets; {} if it sets nothing. Nonsense is left out. */
export function readLink(hash, { about, data, heads }) {
  if (!hash.startsWith(PREFIX)) return {};
  const query = new URLSearchParams(hash.slice(PREFIX.length));
  const ends = {
    photo: [0, data.samples.length],
    token: [-about.classes.length, 1024],
    head: [0, heads],
    shown: [0, about.classes.length],
    layer: [0, about.layers],
  };
  const found = {};
  for (const name of NUMBERS) {
    const value = query.has(name) ? Number(query.get(name)) : Number.NaN;
    const [first, end] = ends[name];
    if (Number.isInteger(value) && value >= first && value < end) found[name] = value;
  }
  const threshold = query.has("threshold") ? Number(query.get("threshold")) : Number.NaN;
  if (threshold >= 0 && threshold <= 1) found.threshold = threshold;
  if (query.has("tab")) found.tab = query.get("tab");
  if (FEATURES.includes(query.get("kind"))) found.kind = query.get("kind");
  if (query.has("trial")) found.trial = fromText(query.get("trial"), heads);
  return found;
}
