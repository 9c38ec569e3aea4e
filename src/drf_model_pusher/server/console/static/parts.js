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

export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
