// What a head explorer shows: the photo, the head, the token that asks.

export const photoOf = (view) => view.photos[view.at("photo", view.photos.length)];
export const chosen = (view) =>
  view.cells[view.at("layer", view.layers) * view.heads + view.at("head", view.heads)];

/** Index of the patch that asks, null for a token. */
export function asker(view, p) {
  const token = p.queries[view.at("query", p.queries.length)];
  return token < 0 ? null : token;
}

export function queryName(view, p) {
  const index = asker(view, p);
  if (index === null) return p.prefix[-1 - p.queries[view.at("query", p.queries.length)]];
  const [y, x] = [Math.floor(index / p.grid[1]), index % p.grid[1]];
  return `patch row ${y + 1}, column ${x + 1}`;
}

/** Attention of a head, from the token that asks. */
export function row(view, p, { index }) {
  const count = p.grid[0] * p.grid[1];
  const query = index * p.attention.shape[2] + view.at("query", p.queries.length);
  return p.rows.subarray(query * count, (query + 1) * count);
}

/** Mean of all heads' maps, each scaled by itself, as it is drawn -> 0 .. 255. */
export function meanOf(view, p) {
  const sum = new Float64Array(p.grid[0] * p.grid[1]);
  for (const cell of view.cells)
    row(view, p, cell).forEach((v, i) => {
      sum[i] += v;
    });
  const most = sum.reduce((a, b) => Math.max(a, b), 1);
  return Uint8Array.from(sum, (v) => Math.round((255 * v) / most));
}

export const lift = (view, values) =>
  view.lifted ? values.map((v) => Math.round(Math.sqrt(v * 255))) : values;

/** Index of the kept patch with the least cost(row, column), -1 if none is kept. */
export function cheapest(p, cost) {
  const costs = p.queries.map((t) =>
    t < 0 ? Number.POSITIVE_INFINITY : cost(Math.floor(t / p.grid[1]), t % p.grid[1]),
  );
  const least = Math.min(...costs);
  return Number.isFinite(least) ? costs.indexOf(least) : -1;
}

export const middle = (p) =>
  cheapest(p, (y, x) => Math.hypot(y - (p.grid[0] - 1) / 2, x - (p.grid[1] - 1) / 2));
