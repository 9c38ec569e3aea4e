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
 * Subscribe, and return a function that gives the connection's id.
 *
 * `subscribed` is called after each (re)connect. Events of the time before are gone: Pusher keeps
 * no history, so this is the moment to fetch.
 */
export function listen({ key, channel, options }, { state, subscribed, event }) {
  const show = (name) => state(...(STATES[name] ?? STATES.connecting));
  if (!globalThis.Pusher) {
    show("failed"); // pusher-js did not load: the board works, but does not change by itself
    return () => undefined;
  }
  const pusher = new Pusher(key, options);
  pusher.connection.bind("state_change", ({ current }) => show(current));
  const subscription = pusher.subscribe(channel);
  subscription.bind("pusher:subscription_succeeded", subscribed);
  subscription.bind_global((name, data) => {
    if (!name.startsWith("pusher")) event(name, data);
  });
  // No socket id while disconnected: then nothing needs to be left out.
  return () => (pusher.connection.state === "connected" ? pusher.connection.socket_id : undefined);
}
