// The network's files on their way: over the network once, then from the browser's cache;
// as scripts where the page was opened from a disk, for which there is no other way.

const CACHE = "weaktr-network";

/**
 * All parts of a network, joined and uncompressed.
 *
 * @param parts names of the files, in order.
 * @param place address of their folder, relative to the page, with a slash at its end.
 * @param progress called with the bytes that have come.
 */
export async function loadNetwork({ parts, place }, progress) {
  const load = location.protocol === "file:" ? byScript : byRequest;
  const packed = [];
  let before = 0;
  for (const name of parts) {
    const part = await load(`${place}${name}`, (n) => progress(before + n));
    packed.push(part);
    before += part.length;
    progress(before);
  }
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Whether every part was kept from an earlier visit. */
export async function isKept({ parts, place }) {
  const cache = await openCache();
  if (!cache) return false;
  const found = await Promise.all(parts.map((name) => cache.match(`${place}${name}.bin`)));
  return found.every(Boolean);
}

/** The cache, or null where the browser has none: on plain http, in some private modes. */
async function openCache() {
  try {
    return await caches.open(CACHE);
  } catch {
    return null;
  }
}

async function byRequest(path, progress) {
  const url = `${path}.bin`;
  const cache = await openCache();
  const kept = await cache?.match(url);
  if (kept) return new Uint8Array(await kept.arrayBuffer());
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the network's file did not come: ${answer.status}`);
  const bytes = await collect(answer.body.getReader(), progress);
  // a full disk must not keep anybody from looking
  await cache?.put(url, new Response(bytes)).catch(() => {});
  return bytes;
}

async function collect(reader, progress) {
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    progress(length);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function byScript(path) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${path}.js`;
    script.onload = () => {
      const name = path.split("/").at(-1);
      const text = atob(globalThis.weaktrParts[name]);
      delete globalThis.weaktrParts[name];
      script.remove();
      resolve(Uint8Array.from(text, (c) => c.charCodeAt(0)));
    };
    script.onerror = () => reject(new Error("the network's file is not beside this page"));
    document.head.append(script);
  });
}
