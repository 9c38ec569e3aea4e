// The parts, put together: what the user does becomes requests, what arrives becomes the page.

import { Api } from "./api.js";
import { edit } from "./edit.js";
import { listen } from "./live.js";
import { logEvent } from "./log.js";
import { Mover } from "./move.js";
import { showPeople, showTyping, tellTyping } from "./people.js";
import { Store } from "./store.js";
import { View } from "./view.js";

const byId = (id) => document.getElementById(id);
const root = byId("lists");
const store = new Store(() => view.render());
const view = new View(root, store);

// The server's side

const config = JSON.parse(byId("config").textContent);
const csrfToken = document.querySelector("[name=csrfmiddlewaretoken]").value;
const live = listen(config, csrfToken, {
  state(state, text) {
    byId("status").dataset.state = state;
    byId("status").textContent = text;
  },
  subscribed: load,
  refused: showStranger,
  people: (members, myId) => showPeople(byId("here"), members, myId),
  typing(list, name) {
    const element = view.listElement(list)?.querySelector("[data-typing]");
    if (element) showTyping(element, name);
  },
  event(name, card) {
    const sentence = receive(name, card);
    logEvent(byId("log"), name, sentence, card);
    announce(`Elsewhere: ${sentence}.`);
  },
});
const api = new Api(config.board, csrfToken, live.socketId);

// Not only when the connection stands: the board must not need it. One load after the other, so
// that the newest has the last word.
let loading = Promise.resolve();
load();

function load() {
  loading = loading.then(fetchBoard);
}

async function fetchBoard() {
  const mark = store.mark();
  try {
    const [lists, cards] = await Promise.all([api.lists(), api.cards()]);
    store.load(lists, cards, mark);
    root.ariaBusy = "false";
  } catch (error) {
    notify(`The board could not be loaded. ${error.message}`);
  }
}

/** The board is not for this user; the server has said so, and has given nothing away. */
function showStranger() {
  document.querySelector("main").hidden = true;
  byId("stranger").hidden = false;
}

/** Apply an event of somebody else's change, and return what it means in words. */
function receive(name, card) {
  const title = `“${card.title}”`;
  const list = store.lists.find(({ id }) => id === card.list)?.name ?? "another list";
  if (name === "card.delete") {
    store.remove(card.id);
    return `${title} deleted`;
  }
  const old = store.apply(card);
  view.flash(card.id);
  if (old === false) return `${title}: known already`;
  if (old === null) return `${title} added to ${list}`;
  if (old.list !== card.list) return `${title} moved to ${list}`;
  if (old.position !== card.position) return `${title} moved within ${list}`;
  return `${title} edited`;
}

// The user's side

/** Show a change at once, send it, and take it back if the server refuses. */
async function change(id, changes, request) {
  const draft = store.draft(id, changes);
  try {
    const card = await request();
    if (card) store.apply(card);
    else store.remove(id);
    return true;
  } catch (error) {
    if (error.status === 404) store.remove(id);
    notify(`Not saved. ${error.message}`);
    return false;
  } finally {
    store.settle(draft);
  }
}

function update(id, changes) {
  return change(id, changes, () => api.update(id, changes));
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
  const position = store.positionAt(list, store.cards(list).length);
  const shown = { ...card, position };
  const isSaved = await change(`new-${crypto.getRandomValues(new Uint32Array(1))}`, shown, () =>
    api.create(card),
  );
  if (isSaved) announce(`“${card.title}” added.`);
  else input.value ||= card.title; // nothing that was typed is lost
});

const type = tellTyping(live.type);
root.addEventListener("input", ({ target }) => {
  const list = target.closest(".list");
  if (list) type(Number(list.dataset.list));
});

root.addEventListener("click", ({ target }) => {
  const item = target.closest(".card");
  const action = target.closest("[data-action]")?.dataset.action;
  const card = item && store.card(Number(item.dataset.card));
  if (!card) return;
  if (action === "edit") startEdit(item, card);
  if (action === "delete") askToDelete(card);
});

root.addEventListener("dblclick", ({ target }) => {
  const item = target.closest(".text")?.closest(".card");
  const card = item && store.card(Number(item.dataset.card));
  if (card) startEdit(item, card);
});

function startEdit(item, card) {
  edit(item, card, store.lists, async (changes) => {
    // A card that changes lists by form goes to the end.
    if (changes.list) {
      changes.position = store.positionAt(changes.list, store.cards(changes.list).length);
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
    const deleted = change(card.id, null, () => api.remove(card.id));
    // The button that had the focus is gone.
    (neighbour?.querySelector(".handle") ?? list.querySelector(".add input")).focus();
    if (await deleted) announce(`“${card.title}” deleted.`);
  };
  dialog.showModal();
}

new Mover({
  root,
  store,
  view,
  announce,
  async drop(id, changes) {
    const { title } = store.card(id);
    const { name } = store.lists.find((list) => list.id === changes.list);
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
