// The photos of a visit and the network, which comes when it is asked for.

import { startWorker } from "./asking.js";
import { isKept, loadNetwork } from "./loading.js";
import { look, openFile, openSample } from "./photos.js";
import { PictureError } from "./picture.js";

const MOST = 8; // photos of the reader's; each keeps some 45 MB

/**
 * One worker a page and network: explorers of a page share it. What it runs is the same
 * for all networks, so one of a page's explorers brings it as `data.program`.
 */
function sharedWorker({ network }, progress) {
  globalThis.weaktrWorkers ??= {};
  const name = network.parts[0];
  globalThis.weaktrWorkers[name] ??= open().catch((error) => {
    delete globalThis.weaktrWorkers[name]; // may be tried again
    throw error;
  });
  return globalThis.weaktrWorkers[name];

  async function open() {
    const bytes = await loadNetwork(network, progress);
    const { worker, wasm } = globalThis.weaktrProgram;
    const ask = startWorker(worker);
    const kernel = Uint8Array.from(atob(wasm), (c) => c.charCodeAt(0));
    await ask("open", { wasm: kernel, bytes }, [bytes.buffer]);
    return ask;
  }
}

/** What the worker knows a photo by. */
export function newId() {
  globalThis.weaktrPhotos = (globalThis.weaktrPhotos ?? 0) + 1;
  return globalThis.weaktrPhotos;
}

/**
 * @returns `photos`, {title, ready, own} each, `ready` null until `open(index)` is done;
 *   `network`: "away", "coming" or "here"; `load(progress)`; `add(file, progress)`, index;
 *   `see(index)`; `remove(index)`; `ask` of the worker; `kept()`, whether the network is in
 *   the cache.
 */
export function openSession({ data, about }) {
  globalThis.weaktrProgram ??= data.program;
  const photos = data.samples.map((sample) => ({
    title: sample.name,
    ready: null,
    sample,
  }));
  const session = { photos, network: "away", ask: null, stop: () => {} };
  let loading = null;

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
    session.ask = await sharedWorker(data, progress);
    session.network = "here";
  }

  session.add = async (file, progress) => {
    if (photos.filter((one) => one.own).length >= MOST)
      throw new PictureError(`${MOST} photos of your own are open; close one first.`);
    const ready = await openFile(file, newId(), about, session.ask, progress);
    photos.push({ title: ready.name, ready, own: true });
    return photos.length - 1;
  };

  /** A photo that the network itself has looked at: all its classes, all its features. */
  session.see = async (index, progress) => {
    const before = await session.open(index);
    if (!before.sample || session.network !== "here") return before;
    photos[index].ready = await look(before, newId(), about, session.ask, progress);
    return photos[index].ready;
  };

  session.remove = (index) => {
    const [one] = photos.splice(index, 1);
    session.ask?.("forget", { photo: one.ready.id });
  };
  return session;
}
