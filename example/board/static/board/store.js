// What the page knows. No DOM and no network in here.
//
// Three things tell of cards: events of others, answers to our own requests, and the full list
// that is fetched after each (re)connect. They arrive in any order. A card's `version` grows with
// each change, so the newer one wins; an id that was deleted never comes back.
//
// Our own changes show before the server has agreed: as drafts that lie over the confirmed cards.
// Taking a draft away is all there is to rolling back.

export class Store {
  lists = [];
  #cards = new Map(); // id → card, as the server has it
  #deleted = new Set();
  #drafts = new Map(); // draft → {id, changes}; null changes hide the card
  #heard = new Map(); // id → when the server last spoke of it, on our clock
  #clock = 0;

  constructor(changed) {
    this.changed = changed;
  }

  /** Take a card from an event or an answer; return what it replaces, or false if it is old news. */
  apply(card) {
    const known = this.#cards.get(card.id);
    if (this.#deleted.has(card.id) || (known && known.version >= card.version)) return false;
    this.#cards.set(card.id, card);
    this.#heard.set(card.id, ++this.#clock);
    this.changed();
    return known ?? null;
  }

  remove(id) {
    const known = this.#cards.get(id);
    this.#cards.delete(id);
    this.#deleted.add(id);
    this.#heard.set(id, ++this.#clock);
    this.changed();
    return known;
  }

  /** Call before fetching the full list, and hand the result to `load`. */
  mark() {
    return this.#clock;
  }

  /** Take the full list as the truth, but for what has been heard since it was asked for. */
  load(lists, cards, mark) {
    const isNews = (id) => (this.#heard.get(id) ?? 0) > mark;
    const listed = new Map(cards.map((card) => [card.id, card]));
    for (const id of [...this.#cards.keys()]) {
      if (!listed.has(id) && !isNews(id)) this.#cards.delete(id);
    }
    for (const card of cards) {
      if (isNews(card.id)) this.apply(card);
      else {
        this.#cards.set(card.id, card);
        this.#deleted.delete(card.id);
      }
    }
    this.lists = lists;
    this.changed();
  }

  /** Show a change at once; `settle` the draft when the server has answered, whatever it said. */
  draft(id, changes) {
    const draft = Symbol();
    this.#drafts.set(draft, { id, changes });
    this.changed();
    return draft;
  }

  revise(draft, changes) {
    this.#drafts.get(draft).changes = changes;
    this.changed();
  }

  settle(draft) {
    this.#drafts.delete(draft);
    this.changed();
  }

  /** A card as it shows, drafts included; nothing if it is gone. */
  card(id) {
    let card = this.#cards.get(id);
    for (const draft of this.#drafts.values()) {
      if (draft.id !== id || this.#deleted.has(id)) continue;
      if (draft.changes === null) return undefined;
      // Only a draft of a new card, whose id is a text, stands for itself.
      if (card || typeof id === "string") card = { ...card, ...draft.changes, id };
    }
    return card;
  }

  /** The cards that show in a list, in their order. */
  cards(listId) {
    const ids = new Set(this.#cards.keys());
    for (const { id } of this.#drafts.values()) ids.add(id);
    return [...ids]
      .map((id) => this.card(id))
      .filter((card) => card?.list === listId)
      .sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));
  }

  /** The position of a card that becomes number `index` of a list: half-way between neighbours. */
  positionAt(listId, index, movingId) {
    const others = this.cards(listId).filter((card) => card.id !== movingId);
    const before = others[index - 1]?.position;
    const after = others[index]?.position;
    if (before === undefined) return after === undefined ? 1024 : after - 1024;
    return after === undefined ? before + 1024 : (before + after) / 2;
  }
}
