export { batchedAuthorization } from "./authorization.js";
export { liveList } from "./live-list.js";
