// Elements made of templates. All text goes in as text: it is written by strangers.

export function make(id) {
  const element = document.getElementById(id).content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const part of element.querySelectorAll("[data-part]")) parts[part.dataset.part] = part;
  return { element, parts };
}

export function fill(part, text) {
  const shown = String(text ?? "");
  if (part.textContent !== shown) part.textContent = shown;
}

// Makes a list show these rows, and keeps the elements that it has: what is open stays open.
export function sync(list, rows, { key, create, update }) {
  list.items ??= new Map();
  const wanted = new Set(rows.map(key));
  for (const [name, item] of list.items) {
    if (!wanted.has(name)) {
      item.element.remove();
      list.items.delete(name);
    }
  }
  let before = null;
  for (const row of rows) {
    let item = list.items.get(key(row));
    if (!item) {
      item = create(row);
      list.items.set(key(row), item);
    }
    update(item, row);
    const place = before ? before.nextSibling : list.firstChild;
    if (item.element !== place) list.insertBefore(item.element, place);
    before = item.element;
  }
}

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}:,]|[^\s"[\]{}:,]+/g;
const DEPTH = 40; // of indentation: a text of brackets alone would become very long

// Lays JSON out as text: as values, numbers above 2^53 and the order of keys would change.
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let shown = "";
  let depth = 0;
  let last = "";
  const line = () => `\n${"  ".repeat(Math.min(depth, DEPTH))}`;
  for (const [token] of text.matchAll(TOKENS)) {
    const opened = last === "[" || last === "{";
    const closes = token === "]" || token === "}";
    if (opened) depth += 1;
    if (closes) depth -= 1;
    if (opened !== closes || last === ",") shown += line();
    if (token === ":") shown += ": ";
    else shown += token.startsWith('"') ? JSON.stringify(JSON.parse(token)) : token;
    last = token;
  }
  return shown;
}
