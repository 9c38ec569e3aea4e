// The parts, put together: what the user does becomes requests, what arrives becomes the page.

import { liveList } from "drf-model-pusher";
import { Api } from "./api.js";
import { Board } from "./board.js";
import { edit } from "./edit.js";
import { connect } from "./live.js";
import { logEvent } from "./log.js";
import { Mover } from "./move.js";
import { showPeople, showTyping, tellTyping } from "./people.js";
import { View } from "./view.js";

const byId = (id) => document.getElementById(id);
const root = byId("lists");

// The server's side

const config = JSON.parse(byId("config").textContent);
const csrfToken = document.querySelector("[name=csrfmiddlewaretoken]").value;
const connection = connect(config, csrfToken, {
  refused: showStranger,
  people: (members, myId) => showPeople(byId("here"), members, myId),
  typing(list, name) {
    const element = view.listElement(list)?.querySelector("[data-typing]");
    if (element) showTyping(element, name);
  },
  event(name, card) {
    const sentence = describe(name, card);
    logEvent(byId("log"), name, sentence, card);
    announce(`Elsewhere: ${sentence}.`);
    requestAnimationFrame(() => view.flash(card.id));
  },
});
const api = new Api(config.board, csrfToken, connection.socketId);
const cards = liveList({
  channel: connection.channel,
  model: "card",
  version: "version",
  async fetch() {
    const [lists, cards] = await Promise.all([api.lists(), api.cards()]);
    board.lists = lists;
    return cards;
  },
  fetchOne: api.card,
});
const board = new Board(cards, () => view.render());
const view = new View(root, board);

const STATES = {
  loading: "Connecting",
  live: globalThis.Pusher ? "Live" : "No live updates",
  offline: "Offline, trying again",
  stale: "Catching up",
};

cards.subscribe(() => {
  view.render();
  byId("status").dataset.state = cards.status;
  byId("status").textContent = STATES[cards.status];
  root.ariaBusy = String(cards.status === "loading");
  if (cards.error) notify(`The board could not be loaded. ${cards.error.message ?? ""}`);
});

/** The board is not for this user; the server has said so, and has given nothing away. */
function showStranger() {
  document.querySelector("main").hidden = true;
  byId("stranger").hidden = false;
}

/** What an event of somebody else's change means in words, before it shows. */
function describe(name, card) {
  const title = `“${card.title}”`;
  const old = cards.get(card.id);
  const list = board.lists.find(({ id }) => id === card.list)?.name ?? "another list";
  if (name === "card.delete") return `${title} deleted`;
  if (!old) return `${title} added to ${list}`;
  if (old.version >= card.version) return `${title}: known already`;
  if (old.list !== card.list) return `${title} moved to ${list}`;
  if (old.position !== card.position) return `${title} moved within ${list}`;
  return `${title} edited`;
}

// The user's side

/** Whether a write succeeds; its change shows at once, and is taken back if the server refuses. */
async function succeeds(write) {
  try {
    await write;
    return true;
  } catch (error) {
    notify(`Not saved. ${error.message}`);
    return false;
  }
}

function update(id, changes) {
  const optimistic = { id, ...changes };
  return succeeds(cards.save(() => api.update(id, changes), { optimistic }));
}

root.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".add")) return;
  event.preventDefault();
  const list = Number(form.closest(".list").dataset.list);
  const input = form.elements.title;
  const card = { list, title: input.value.trim(), notes: "" };
  if (!card.title) return;
  input.value = "";
  const position = board.positionAt(list, board.cards(list).length);
  const id = `new-${crypto.getRandomValues(new Uint32Array(1))}`;
  const optimistic = { id, ...card, position };
  const isSaved = await succeeds(cards.save(() => api.create(card), { optimistic }));
  if (isSaved) announce(`“${card.title}” added.`);
  else input.value ||= card.title; // nothing that was typed is lost
});

const type = tellTyping(connection.type);
root.addEventListener("input", ({ target }) => {
  const list = target.closest(".list");
  if (list) type(Number(list.dataset.list));
});

root.addEventListener("click", ({ target }) => {
  const item = target.closest(".card");
  const action = target.closest("[data-action]")?.dataset.action;
  const card = item && board.card(Number(item.dataset.card));
  if (!card) return;
  if (action === "edit") startEdit(item, card);
  if (action === "delete") askToDelete(card);
});

root.addEventListener("dblclick", ({ target }) => {
  const item = target.closest(".text")?.closest(".card");
  const card = item && board.card(Number(item.dataset.card));
  if (card) startEdit(item, card);
});

function startEdit(item, card) {
  edit(item, card, board.lists, async (changes) => {
    // A card that changes lists by form goes to the end.
    if (changes.list) {
      changes.position = board.positionAt(changes.list, board.cards(changes.list).length);
    }
    if (await update(card.id, changes)) announce("Saved.");
  });
}

function askToDelete(card) {
  const dialog = byId("delete");
  dialog.querySelector("[data-title]").textContent = card.title;
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "delete") return;
    const list = view.listElement(card.list);
    const place = view.element(card.id);
    const neighbour = place?.nextElementSibling ?? place?.previousElementSibling;
    const remove = () => api.remove(card.id);
    const deleted = succeeds(cards.remove(card.id, remove, { optimistic: true }));
    // The button that had the focus is gone.
    (neighbour?.querySelector(".handle") ?? list.querySelector(".add input")).focus();
    if (await deleted) announce(`“${card.title}” deleted.`);
  };
  dialog.showModal();
}

new Mover({
  root,
  board,
  view,
  announce,
  async drop(id, changes) {
    const { title } = board.card(id);
    const { name } = board.lists.find((list) => list.id === changes.list);
    if (await update(id, changes)) announce(`“${title}” moved to ${name}.`);
  },
});

byId("show-help").addEventListener("click", () => byId("help").showModal());

/** Tell those who listen to the page instead of looking at it. */
function announce(text) {
  byId("announcer").textContent = text;
}

let hiding;
function notify(text) {
  const notice = byId("notice");
  notice.textContent = text;
  clearTimeout(hiding);
  hiding = setTimeout(() => (notice.textContent = ""), 8000);
}
