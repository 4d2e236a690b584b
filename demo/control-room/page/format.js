/** Figures and counts as a person reads them. */

/** A duration: 182 ms, 6.56 s, 12.3 s. */
export const ms = (value) =>
  value < 2_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 9_995 ? 2 : 1)} s`;

export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** The first part of a page's random id: enough to tell pages apart. */
export const shortId = (id) => id.slice(0, 4);
