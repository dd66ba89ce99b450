// Heads on trial: what the reader did to each head, and the setting it makes for a photo.

export const BASES = { learned: "learned", equal: "all equal", last: "last layer only" };

/** No change: the base's weights, every head itself. */
export const untouched = (base = "learned") => ({ base, solo: -1, changes: {} });

/** What is multiplied with the i-th head before anything is changed. */
function weightOf(base, photo, i, { layers, heads }) {
  if (base === "equal") return 1;
  if (base === "last") return i >= (layers - 1) * heads ? 1 : 0;
  return photo.learned[i];
}

/** {weight, kind} for each head of a photo. */
export function settingOf({ base, solo, changes }, photo, about) {
  return Array.from({ length: about.layers * about.heads }, (_, i) => {
    const change = changes[i] ?? {};
    const silent = solo >= 0 && solo !== i;
    const weight = silent ? 0 : (change.weight ?? weightOf(base, photo, i, about));
    return { weight, kind: change.kind ?? "itself" };
  });
}

/** A trial with one head changed; `change` null puts it back. */
export function changed(trial, i, change) {
  const changes = { ...trial.changes };
  if (change === null) delete changes[i];
  else changes[i] = { ...changes[i], ...change };
  return { ...trial, changes };
}

/** As text for a link: "learned;-1;3:1.5:mean,7:0:". */
export function toText({ base, solo, changes }) {
  const each = Object.entries(changes).map(
    ([i, { weight, kind }]) => `${i}:${weight ?? ""}:${kind ?? ""}`,
  );
  return [base, solo, each.join(",")].join(";");
}

/** Undo `toText`; what is not understood is left out. */
export function fromText(text, count) {
  const [base, solo, each = ""] = text.split(";");
  const trial = untouched(base in BASES ? base : "learned");
  if (/^\d+$/.test(solo) && Number(solo) < count) trial.solo = Number(solo);
  for (const [, i, weight, kind] of each.matchAll(/(\d+):([\d.]*):(mean|shuffle)?/g)) {
    if (Number(i) >= count) continue;
    trial.changes[i] = {
      ...(weight &&
        Number.isFinite(Number(weight)) && { weight: Math.min(3, Number(weight)) }),
      ...(kind && { kind }),
    };
  }
  return trial;
}
