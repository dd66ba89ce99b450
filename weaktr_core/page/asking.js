// The page's end of the worker: a promise for each message.

/** Start a worker from its source -> ask(verb, given, moved, progress). */
export function startWorker(source) {
  // a page opened from a disk may not load a worker's file, but may make one up
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url);
  const waiting = new Map();
  let next = 0;
  worker.onmessage = ({ data: { id, value, error, step } }) => {
    const { resolve, reject, progress } = waiting.get(id);
    if (step !== undefined) return progress(step);
    waiting.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  };
  worker.onerror = (event) => {
    const reason = new Error(event.message || "the network's thread has stopped");
    for (const { reject } of waiting.values()) reject(reason);
    waiting.clear();
  };
  return (verb, given, moved = [], progress = () => {}) =>
    new Promise((resolve, reject) => {
      waiting.set(next, { resolve, reject, progress });
      worker.postMessage({ id: next++, verb, given }, moved);
    });
}
