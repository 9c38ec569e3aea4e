// Moving a card: with the mouse, a finger on its handle, or keys. All three lift the card, which
// then shows at each place that it passes, and drop it: only then is anything sent.

const EDGE = 60; // pixels from the window's edge where it begins to scroll

export class Mover {
  #lift = null; // what is being moved: {id, draft, list, index}

  constructor({ root, board, view, announce, drop }) {
    Object.assign(this, { board, view, announce, drop });
    root.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    root.addEventListener("keydown", (event) => this.#keyDown(event));
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("focusout", ({ target, relatedTarget }) => {
      // Rendering moves the element, and gives the focus back at once.
      const left = this.#lift?.byKeys && target === this.view.handle(this.#lift.id);
      if (left && relatedTarget) this.#end(false);
    });
  }

  // The three verbs

  #start(id, byKeys) {
    const card = this.board.card(id);
    const index = this.board.cards(card.list).findIndex((each) => each.id === id);
    const from = { list: card.list, index };
    this.#lift = { id, byKeys, from, ...from };
    this.board.lift({ id });
  }

  #place(list, index) {
    const lift = this.#lift;
    if (lift.list === list && lift.index === index) return false;
    Object.assign(lift, { list, index });
    const position = this.board.positionAt(list, index, lift.id);
    this.board.lift({ id: lift.id, list, position });
    return true;
  }

  #end(isDrop) {
    const { id, from, list, index } = this.#lift;
    this.#lift = null;
    const isMoved = list !== from.list || index !== from.index;
    const card = this.board.card(id);
    if (isDrop && isMoved && card) this.drop(id, { list: card.list, position: card.position });
    else this.announce(card ? `“${card.title}” stays where it was.` : "The card is gone.");
    this.board.lift(null);
  }

  // Keys

  #click(event) {
    const handle = event.target.closest(".handle");
    // A click of a mouse has a count; one that a key or a screen reader makes has none.
    if (!handle || event.detail) return;
    if (this.#lift) {
      this.#end(true);
      return;
    }
    const id = Number(handle.closest(".card").dataset.card);
    this.#start(id, true);
    this.announce(`Lifted “${this.board.card(id).title}”. ${this.#whereabouts()}`);
  }

  #keyDown(event) {
    if (!this.#lift?.byKeys) return;
    const { list, index, id } = this.#lift;
    const lists = this.board.lists.map((each) => each.id);
    const at = lists.indexOf(list);
    const size = (of) => this.board.cards(of).filter((card) => card.id !== id).length;
    const next = {
      ArrowUp: () => [list, Math.max(0, index - 1)],
      ArrowDown: () => [list, Math.min(size(list), index + 1)],
      ArrowLeft: () => [lists[Math.max(0, at - 1)], index],
      ArrowRight: () => [lists[Math.min(lists.length - 1, at + 1)], index],
    }[event.key];
    if (next) {
      event.preventDefault();
      const [to, wanted] = next();
      if (this.#place(to, Math.min(wanted, size(to)))) this.announce(this.#whereabouts());
      this.view.handle(id)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape") this.#end(false);
  }

  #whereabouts() {
    const { list, index } = this.#lift;
    const { name } = this.board.lists.find((each) => each.id === list);
    return `${name}, place ${index + 1} of ${this.board.cards(list).length}.`;
  }

  // Pointers

  #pointerDown(down) {
    const item = down.target.closest(".card");
    const onHandle = down.target.closest(".handle");
    const isBusy = this.#lift || !item || item.classList.contains("editing");
    const isControl = down.target.closest("button, a, input") && !onHandle;
    // A finger anywhere but on the handle scrolls the page.
    const isScroll = down.pointerType === "touch" && !onHandle;
    const id = Number(item?.dataset.card);
    if (isBusy || isControl || isScroll || down.button !== 0 || Number.isNaN(id)) return;
    down.preventDefault();
    onHandle?.focus();

    let ghost = null;
    let pointer = down;
    const box = item.getBoundingClientRect();
    const done = new AbortController();
    const on = (type, listener) =>
      addEventListener(type, listener, { signal: done.signal, passive: false });
    const finish = (isDrop) => {
      done.abort();
      ghost?.remove();
      document.body.classList.remove("dragging");
      if (ghost && this.#lift) this.#end(isDrop);
    };
    const follow = () => {
      ghost.style.translate = `${pointer.clientX - down.clientX}px ${pointer.clientY - down.clientY}px`;
      if (this.board.card(id)) this.#placeUnder(pointer);
    };
    on("pointermove", (move) => {
      pointer = move;
      const distance = Math.hypot(move.clientX - down.clientX, move.clientY - down.clientY);
      if (!ghost) {
        if (distance < 5) return;
        this.#start(id, false);
        ghost = ghostOf(item, box);
        document.body.classList.add("dragging");
        scrollNearEdges(() => pointer.clientY, follow, done.signal);
      }
      follow();
    });
    on("pointerup", () => finish(true));
    on("pointercancel", () => finish(false));
    on("keydown", (event) => event.key === "Escape" && finish(false));
    on("touchmove", (event) => event.preventDefault());
  }

  #placeUnder({ clientX, clientY }) {
    const section = nearest(
      this.board.lists.map(({ id }) => this.view.listElement(id)), clientX, clientY,
    );
    const list = Number(section.dataset.list);
    const others = this.board.cards(list).filter(({ id }) => id !== this.#lift.id);
    // As laid out, whatever glides at the moment.
    const top = section.getBoundingClientRect().top - section.offsetTop;
    const index = others.findIndex(({ id }) => {
      const item = this.view.element(id);
      return clientY < top + item.offsetTop + item.offsetHeight / 2;
    });
    this.#place(list, index < 0 ? others.length : index);
  }
}

function nearest(sections, x, y) {
  const distance = (section) => {
    const box = section.getBoundingClientRect();
    return Math.hypot(
      Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom),
    );
  };
  return sections.reduce((best, each) => (distance(each) < distance(best) ? each : best));
}

/** A picture of the card that follows the pointer; the card itself marks the place. */
function ghostOf(item, box) {
  const ghost = item.cloneNode(true);
  ghost.className = "card ghost";
  ghost.inert = true;
  ghost.style.cssText = `left:${box.left}px;top:${box.top}px;width:${box.width}px`;
  document.body.append(ghost);
  return ghost;
}

function scrollNearEdges(pointerY, scrolled, signal) {
  const step = () => {
    if (signal.aborted) return;
    const y = pointerY();
    const by = y < EDGE ? y - EDGE : Math.max(0, y - innerHeight + EDGE);
    const from = scrollY;
    scrollBy(0, by / 4);
    if (scrollY !== from) scrolled();
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
