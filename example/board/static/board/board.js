// The board: its lists, and its cards in their order. One card may be lifted, and shows elsewhere.

/**
 * @typedef {{ id: number, name: string }} List
 * @typedef {{ id: number | string, list: number, title: string, notes: string, position: number,
 *   version?: number }} Card
 */

export class Board {
  /** @type {List[]} */
  lists = [];
  /** @type {{ id: Card["id"], list?: number, position?: number } | null} */
  lifted = null;

  /** @param {import("drf-model-pusher").LiveList<Card>} live @param {() => void} changed */
  constructor(live, changed) {
    this.live = live;
    this.changed = changed;
  }

  /** Show a card at another place, or put it back with null. @param {Board["lifted"]} lifted */
  lift(lifted) {
    this.lifted = lifted;
    this.changed();
  }

  /** @param {Card["id"]} id */
  card(id) {
    const card = this.live.get(id);
    return card && this.#shown(card);
  }

  /** The cards of a list, in their order. @param {number} listId */
  cards(listId) {
    return this.live.items
      .map((card) => this.#shown(card))
      .filter((card) => card.list === listId)
      .sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1));
  }

  /**
   * The position of a card that becomes number `index` of a list: half-way between neighbours.
   *
   * @param {number} listId @param {number} index @param {Card["id"]} [movingId]
   */
  positionAt(listId, index, movingId) {
    const others = this.cards(listId).filter((card) => card.id !== movingId);
    const before = others[index - 1]?.position;
    const after = others[index]?.position;
    if (before === undefined) return after === undefined ? 1024 : after - 1024;
    return after === undefined ? before + 1024 : (before + after) / 2;
  }

  /** @param {Card} card */
  #shown(card) {
    return card.id === this.lifted?.id ? { ...card, ...this.lifted } : card;
  }
}
