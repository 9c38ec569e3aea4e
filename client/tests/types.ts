// What TypeScript says to those who use the client.

import { batchedAuthorization, liveList } from "drf-model-pusher";
import { liveQuery } from "drf-model-pusher/tanstack-query";
import { QueryClient } from "@tanstack/react-query";
import Echo from "laravel-echo";
import Pusher from "pusher-js";

interface Order {
  id: number;
  state: string;
}

declare const api: {
  get<T>(url: string): Promise<T>;
  post<T>(url: string, data: object): Promise<T>;
  delete(url: string): Promise<void>;
};

const channelAuthorization = batchedAuthorization({ headers: async () => ({ a: "b" }) });
const pusher = new Pusher("key", { cluster: "eu", channelAuthorization });
const echo = new Echo({ broadcaster: "pusher", key: "key", channelAuthorization });

const orders = liveList({
  channel: [pusher.subscribe("private-orders"), echo.private("more")],
  model: "order",
  fetch: (next = "/orders/") => api.get<{ results: Order[]; next: string | null }>(next),
  fetchOne: (id: number) => api.get<Order>(`/orders/${id}/`),
  belongs: (order) => order.state === "open",
  sort: (one, other) => one.id - other.id,
  events: { closed: "update" },
});

const state: string | undefined = orders.get(7)?.state;
const stop: () => void = orders.subscribe((items: readonly Order[]) => items.length);
const saved: Promise<Order> = orders.save(() => api.post<Order>("/orders/", {}), {
  optimistic: { state: "open" },
});
orders.remove(7, () => api.delete("/orders/7/"), { optimistic: true });
// @ts-expect-error: there is no such status
if (orders.status === "lives") stop();
// @ts-expect-error: items are read
orders.items.push({ id: 1, state });

const query = liveQuery<Order>(new QueryClient(), ["orders"], {
  channel: pusher.subscribe("private-orders"),
  model: "order",
  fetch: () => api.get<Order[]>("/orders/"),
}).query;

export { query, saved };
