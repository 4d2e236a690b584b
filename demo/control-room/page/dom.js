/** Small DOM helpers. Text is always set as text, never as HTML: most of it comes from other pages. */

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

export const $ = (id) => document.getElementById(id);
export const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** Sets a text only when it differs: screen readers announce every write to a live region. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows one item per entry, in order. Items stay in place and are updated, so that focus and open details survive. */
export function sync(parent, items, entries, create) {
  const wanted = new Set(entries.map(([key]) => key));
  for (const [key, { node }] of items) {
    if (wanted.has(key)) continue;
    node.remove();
    items.delete(key);
  }
  let place = parent.firstElementChild;
  for (const [key, value] of entries) {
    if (!items.has(key)) items.set(key, create(key, value));
    const { node, update } = items.get(key);
    update?.(value);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
}

/** POSTs JSON; rejects with the server's own error text. */
export async function post(path, body = {}) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (response.ok) return;
  const { error } = await response.json().catch(() => ({}));
  throw new Error(error ?? `The control room answered with status ${response.status}.`);
}
