// A map as sound: from left to right, a higher row is a higher note, more is louder.

const COLUMN = 0.12; // seconds
const LOW = 180; // Hz, of the lowest row
const OCTAVES = 3;
const FAINT = 0.05; // of the largest value: below is silence
let context = null; // browsers allow few

/** Loudness of each note (h) in each column (w), 0 to 1, the lowest row first. */
export function notesOf(values, [h, w]) {
  const most = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  return Array.from({ length: h }, (_, note) =>
    Array.from({ length: w }, (_, x) => {
      const share = values[(h - 1 - note) * w + x] / most;
      return share < FAINT ? 0 : share;
    }),
  );
}

/** Play a map (h, w); what was playing ends. */
export function play(values, [h, w]) {
  context?.close();
  context = new AudioContext();
  const start = context.currentTime + 0.05;
  const end = start + w * COLUMN;
  const all = new GainNode(context, { gain: 0.6 / Math.sqrt(h) });
  all.connect(context.destination);
  notesOf(values, [h, w]).forEach((loudness, note) => {
    const frequency = LOW * 2 ** ((OCTAVES * note) / Math.max(1, h - 1));
    const tone = new OscillatorNode(context, { frequency });
    const gain = new GainNode(context, { gain: 0 });
    loudness.forEach((share, x) => {
      gain.gain.setTargetAtTime(share, start + x * COLUMN, COLUMN / 6);
    });
    gain.gain.setTargetAtTime(0, end, COLUMN / 6);
    tone.connect(gain).connect(all);
    tone.start(start);
    tone.stop(end + COLUMN);
  });
}
