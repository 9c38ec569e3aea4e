// The connection to Pusher, or to any server that speaks its protocol.

import { batchedAuthorization } from "drf-model-pusher";

/**
 * Connect, and return the channel of the cards, the connection's id, as a function, and a function
 * that tells others where this user types. `refused` is called if the board is not for us.
 */
export function connect({ key, board, options }, csrfToken, { refused, event, people, typing }) {
  // pusher-js did not load: the board works, but does not change by itself.
  if (!globalThis.Pusher) return { channel: [], socketId: () => undefined, type() {} };
  // Before it subscribes pusher-js asks our server, which asks the board's own API.
  const channelAuthorization = batchedAuthorization({
    headers: () => ({ "X-CSRFToken": csrfToken }),
  });
  const pusher = new Pusher(key, { ...options, channelAuthorization });

  const channel = pusher.subscribe(`private-boards.${board}`);
  channel.bind("pusher:subscription_error", () => {
    pusher.disconnect();
    refused();
  });
  channel.bind_global((name, data) => {
    if (name.startsWith("card.")) event(name, data);
  });

  const room = pusher.subscribe(`presence-boards.${board}`);
  const tell = () => {
    const members = [];
    room.members.each(({ id, info }) => members.push({ id, name: info.name }));
    people(members, room.members.myID);
  };
  for (const name of ["subscription_succeeded", "member_added", "member_removed"]) {
    room.bind(`pusher:${name}`, tell);
  }
  // Sent by browsers, not by our server: only the user's id is certain.
  room.bind("client-typing", ({ list }, { user_id }) => {
    const member = room.members.get(user_id);
    if (member && Number.isInteger(list)) typing(list, member.info.name);
  });

  return {
    channel,
    // No socket id while disconnected: then nothing needs to be left out.
    socketId: () =>
      pusher.connection.state === "connected" ? pusher.connection.socket_id : undefined,
    type: (list) => room.subscribed && room.trigger("client-typing", { list }),
  };
}
