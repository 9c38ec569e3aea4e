// The stream of events, newest first.

import { fill, make, pretty } from "./parts.js";

const ROWS = 500;
const PREVIEW = 160;
const TAIL = 14; // characters of a long name that are always shown: UUIDs differ at the end

const log = document.querySelector("#log");
const filter = document.querySelector("#filter");
const pause = document.querySelector("#pause");
const clear = document.querySelector("#clear");

let held = null; // what has come while the stream stands still

export function add(activity) {
  if (held) {
    held.push(activity);
    if (held.length > ROWS) held.shift();
    fill(pause, `Go on (${held.length})`);
    return;
  }
  const { element, parts } = make("entry");
  const { kind, event, channel, data, cut, socket_id, user_id } = activity;
  parts.kind.dataset.kind = kind;
  fill(parts.kind, kind);
  fill(parts.event, event);
  const name = channel ?? socket_id ?? "";
  fill(parts.head, name.slice(0, -TAIL));
  fill(parts.tail, name.slice(-TAIL));
  fill(parts.preview, (data ?? "").slice(0, PREVIEW));
  fill(parts.data, cut ? `${data}…\n(${cut.toLocaleString()} characters more)` : pretty(data ?? ""));
  fill(parts.who, who(kind, socket_id, user_id));
  const time = new Date(activity.time * 1000);
  parts.time.dateTime = time.toISOString();
  fill(parts.time, time.toLocaleTimeString());
  element.hidden = !matches(element);
  log.prepend(element);
  while (log.childElementCount > ROWS) log.lastElementChild.remove();
}

export function skip({ count }) {
  const element = document.createElement("li");
  element.className = "gap";
  element.textContent = `${count.toLocaleString()} more came too fast to be shown.`;
  log.prepend(element);
}

function who(kind, socket, user) {
  const parts = [];
  if (socket) parts.push(kind === "published" ? `Not sent to ${socket}` : `Socket ${socket}`);
  if (user) parts.push(`user ${user}`);
  return parts.join(", ");
}

function matches(element) {
  return element.textContent.toLowerCase().includes(filter.value.trim().toLowerCase());
}

filter.addEventListener("input", () => {
  for (const element of log.children) element.hidden = !matches(element);
});

pause.addEventListener("click", () => {
  const waiting = held;
  held = waiting ? null : [];
  pause.setAttribute("aria-pressed", String(Boolean(held)));
  fill(pause, held ? "Go on" : "Pause");
  for (const activity of waiting ?? []) add(activity);
});

clear.addEventListener("click", () => {
  log.replaceChildren();
  if (held) held = [];
});
