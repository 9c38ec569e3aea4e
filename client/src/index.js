export { batchedAuthorization } from "./authorization.js";
export { liveList } from "./live-list.js";

/** @typedef {import("./live-list.js").Status} Status */
/**
 * @template T
 * @typedef {import("./live-list.js").LiveList<T>} LiveList
 */
/**
 * @template T
 * @typedef {import("./live-list.js").Options<T>} Options
 */
