// The connection to Pusher, or to any server that speaks its protocol.

const STATES = {
  initialized: ["connecting", "Connecting"],
  connecting: ["connecting", "Connecting"],
  connected: ["live", "Live"],
  unavailable: ["offline", "Offline, trying again"],
  disconnected: ["offline", "Offline"],
  failed: ["offline", "No live updates"],
};

/**
 * Subscribe, and return the connection's id, as a function, and a function that tells others where
 * this user types.
 *
 * `subscribed` is called after each (re)connect. Events of the time before are gone: Pusher keeps
 * no history, so this is the moment to fetch. `refused` is called if the board is not for us.
 */
export function listen({ key, board, options }, csrfToken, on) {
  const { state, subscribed, refused, event, people, typing } = on;
  const show = (name) => state(...(STATES[name] ?? STATES.connecting));
  if (!globalThis.Pusher) {
    show("failed"); // pusher-js did not load: the board works, but does not change by itself
    return { socketId: () => undefined, type() {} };
  }
  // Before each subscription pusher-js asks our server, which asks the board's own API.
  const headers = { "X-CSRFToken": csrfToken };
  const channelAuthorization = { endpoint: "/pusher/auth", headers };
  const pusher = new Pusher(key, { ...options, channelAuthorization });
  pusher.connection.bind("state_change", ({ current }) => show(current));

  const cards = pusher.subscribe(`private-boards.${board}`);
  cards.bind("pusher:subscription_succeeded", subscribed);
  cards.bind("pusher:subscription_error", ({ status }) => {
    if (status !== 403) return;
    pusher.disconnect();
    refused();
  });
  cards.bind_global((name, data) => {
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
    // No socket id while disconnected: then nothing needs to be left out.
    socketId: () =>
      pusher.connection.state === "connected" ? pusher.connection.socket_id : undefined,
    type: (list) => room.subscribed && room.trigger("client-typing", { list }),
  };
}
