// Who is connected, and to which channels.

import { fill, make, sync } from "./parts.js";
import { sendTo } from "./send.js";

const channels = document.querySelector("#channels");
const connections = document.querySelector("#connections");
const names = document.querySelector("#names");

export function show(state) {
  count("#channel-count", state.channels);
  count("#connection-count", state.connections);
  const sorted = state.channels.rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  sync(channels, sorted, { key: ({ name }) => name, create: newChannel, update: showChannel });
  sync(connections, state.connections.rows, {
    key: ({ id }) => id,
    create: () => make("connection"),
    update: showConnection,
  });
  const options = sorted.filter(({ kind }) => kind !== "encrypted");
  sync(names, options, { key: ({ name }) => name, create: newOption, update() {} });
}

function count(place, { count, rows }) {
  const more = count > rows.length ? `, the first ${rows.length} of them here` : "";
  fill(document.querySelector(place), `${count.toLocaleString()}${more}`);
}

function newOption({ name }) {
  return { element: new Option(name, name) };
}

function newChannel({ name, kind }) {
  const item = make("channel");
  item.parts.use.hidden = kind === "encrypted";
  item.parts.use.addEventListener("click", () => sendTo(name));
  return item;
}

function showChannel({ parts }, { name, kind, cache, subscribers, members, member_count }) {
  fill(parts.name, name);
  fill(parts.kind, cache ? `${kind}, cache` : kind);
  parts.kind.dataset.kind = kind;
  const present = members ? `${some(member_count, "member")}, ` : "";
  fill(parts.count, present + some(subscribers, "subscriber"));
  parts.none.hidden = Boolean(members);
  fill(parts.none, "Only presence channels know who their subscribers are.");
  sync(parts.members, members ?? [], {
    key: ({ id }) => id,
    create: newLine,
    update({ parts }, { id, info }) {
      fill(parts.name, id);
      fill(parts.more, info);
    },
  });
}

function showConnection({ parts }, { id, user, channels, channel_count, seconds }) {
  fill(parts.name, id);
  fill(parts.user, user);
  parts.user.hidden = user === null;
  fill(parts.count, some(channel_count, "channel"));
  if (!parts.since.textContent) {
    const since = new Date(Date.now() - seconds * 1000).toLocaleTimeString();
    fill(parts.since, `Connected at ${since}`);
  }
  sync(parts.channels, channels, {
    key: (name) => name,
    create: newLine,
    update: ({ parts }, name) => fill(parts.name, name),
  });
}

function newLine() {
  const element = document.createElement("li");
  const parts = { name: document.createElement("b"), more: document.createElement("span") };
  element.append(parts.name, " ", parts.more);
  return { element, parts };
}

function some(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}
