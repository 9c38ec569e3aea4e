// The items of a live list in the cache of TanStack Query.

import { liveList } from "./live-list.js";

/**
 * Keep a query's data equal to the API's.
 *
 *     const orders = liveQuery(client, ["orders"], { channel, model: "order", fetch, fetchOne });
 *     const { data } = useQuery(orders.query);
 *
 * Write by `orders.save()` and `orders.remove()`: what you put into the cache yourself lasts until
 * the next change.
 *
 * @template T
 * @param {{ setQueryData(key: readonly unknown[], data: any): unknown }} client A QueryClient.
 * @param {readonly unknown[]} queryKey
 * @param {import("./live-list.js").Options<T>} options
 */
export function liveQuery(client, queryKey, options) {
  const list = liveList(options);
  /** @type {Promise<void>} */
  const loaded = new Promise((resolve) => {
    list.subscribe((items) => {
      if (list.status === "loading") return;
      client.setQueryData(queryKey, items);
      resolve();
    });
  });
  // The query's first fetch is the list's own; `invalidateQueries` and its like fetch anew.
  const queryFn = async () => {
    if (list.status !== "loading") return list.reload();
    await loaded;
    return list.items;
  };
  return Object.assign(list, { query: { queryKey, queryFn, staleTime: Infinity } });
}
