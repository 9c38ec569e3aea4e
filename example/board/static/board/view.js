// The lists and cards on the page: made from templates, filled with `textContent`, never HTML.

const template = (id) => document.getElementById(`${id}-template`).content.firstElementChild;
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class View {
  #lists = new Map(); // id → section
  #cards = new Map(); // id → li

  constructor(root, board) {
    this.root = root;
    this.board = board;
  }

  /** Make the page show what the board holds. Elements stay the same, so focus and edits do too. */
  render() {
    const focused = document.activeElement;
    const before = new Map([...this.#cards].map(([id, item]) => [id, item.getBoundingClientRect()]));
    const shown = new Set();
    for (const list of this.board.lists) {
      const section = this.#list(list);
      const cards = this.board.cards(list.id);
      section.querySelector("[data-count]").textContent = cards.length;
      let place = section.querySelector(".cards").firstElementChild;
      for (const card of cards) {
        const item = this.#card(card);
        shown.add(card.id);
        if (item === place) place = place.nextElementSibling;
        else section.querySelector(".cards").insertBefore(item, place);
      }
    }
    for (const [id, item] of this.#cards) {
      if (shown.has(id)) continue;
      item.remove();
      this.#cards.delete(id);
    }
    // An element that is moved loses the focus.
    if (focused !== document.activeElement && focused?.isConnected) focused.focus();
    this.#glide(before);
  }

  element(id) {
    return this.#cards.get(id);
  }

  handle(id) {
    return this.element(id)?.querySelector(".handle");
  }

  listElement(id) {
    return this.#lists.get(id);
  }

  /** Let the eye find what others changed. */
  flash(id) {
    this.element(id)?.animate?.([{ boxShadow: "0 0 0 3px var(--accent)" }, {}], 1600);
  }

  #list({ id, name }) {
    let section = this.#lists.get(id);
    if (!section) {
      section = template("list").cloneNode(true);
      section.dataset.list = id;
      const heading = section.querySelector("h2");
      heading.id = `list-${id}`;
      section.setAttribute("aria-labelledby", heading.id);
      section.querySelector("input").setAttribute("aria-label", `New card in ${name}`);
      this.#lists.set(id, section);
      this.root.append(section);
    }
    section.querySelector("[data-name]").textContent = name;
    return section;
  }

  #card({ id, title, notes }) {
    let item = this.#cards.get(id);
    if (!item) {
      item = template("card").cloneNode(true);
      item.dataset.card = id;
      this.#cards.set(id, item);
    }
    item.querySelector("[data-title]").textContent = title;
    item.querySelector("[data-notes]").textContent = notes;
    const isNew = typeof id === "string"; // the server has yet to give it an id
    for (const button of item.querySelectorAll(".face button")) button.disabled = isNew;
    item.classList.toggle("lifted", this.board.lifted?.id === id);
    const handle = item.querySelector(".handle");
    handle.setAttribute("aria-pressed", this.board.lifted?.id === id);
    handle.setAttribute("aria-label", `Move “${title}”`);
    for (const action of ["edit", "delete"]) {
      const label = `${action === "edit" ? "Edit" : "Delete"} “${title}”`;
      item.querySelector(`[data-action=${action}]`).setAttribute("aria-label", label);
    }
    return item;
  }

  /** Cards that changed place glide there. */
  #glide(before) {
    if (still.matches) return;
    for (const [id, item] of this.#cards) {
      const from = before.get(id);
      const to = item.getBoundingClientRect();
      if (!from || id === this.board.lifted?.id || (from.x === to.x && from.y === to.y)) continue;
      const start = `translate(${from.x - to.x}px, ${from.y - to.y}px)`;
      item.animate([{ transform: start }, {}], { duration: 180, easing: "ease-out" });
    }
  }
}
