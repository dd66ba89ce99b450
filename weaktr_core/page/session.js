// The photos of a visit and the network, which comes when it is asked for.

import { startWorker } from "./asking.js";
import { isKept, loadNetwork } from "./loading.js";
import { look, openFile, openSample } from "./photos.js";

const MOST = 8; // photos of the reader's; each keeps some 45 MB

/**
 * @returns `photos`, {title, ready, own} each, `ready` null until `open(index)` is done;
 *   `network`: "away", "coming" or "here"; `load(progress)`; `add(file, progress)`, index;
 *   `remove(index)`; `ask` of the worker; `kept()`, whether the network is in the cache.
 */
export function openSession({ data, about }) {
  const photos = data.samples.map((sample) => ({ title: sample.name, ready: null, sample }));
  const session = { photos, network: "away", ask: null, stop: () => {} };
  let loading = null;
  let next = 0;

  session.open = async (index) => {
    const one = photos[index];
    if (!one) throw new Error("there is no such photo");
    if (!one.ready) one.ready = await openSample(one.sample, about);
    return one.ready;
  };

  session.kept = () => isKept(data.network);

  session.load = (progress) => {
    loading ??= start(progress).catch((error) => {
      loading = null; // may be tried again
      session.network = "away";
      throw error;
    });
    return loading;
  };

  async function start(progress) {
    session.network = "coming";
    const bytes = await loadNetwork(data.network, progress);
    const wasm = Uint8Array.from(atob(data.wasm), (c) => c.charCodeAt(0));
    session.ask = startWorker(data.worker);
    await session.ask("open", { wasm, bytes }, [bytes.buffer]);
    session.network = "here";
  }

  session.own = () => photos.filter((one) => one.own).length;

  session.add = async (file, progress) => {
    if (session.own() >= MOST)
      throw new Error(`${MOST} photos of your own are open; close one to open another.`);
    const ready = await openFile(file, next++, about, session.ask, progress);
    photos.push({ title: ready.name, ready, own: true });
    return photos.length - 1;
  };

  /** A sample, looked at by the network itself: all classes, all features. */
  session.lookAgain = async (index, progress) => {
    const before = await session.open(index);
    const ready = await look(before, next++, about, session.ask, progress);
    photos[index] = { ...photos[index], ready };
    return ready;
  };

  session.remove = (index) => {
    const [one] = photos.splice(index, 1);
    session.ask?.("forget", { photo: one.ready.id });
  };
  return session;
}
