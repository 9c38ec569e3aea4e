// One request for many channels, to a real server.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { afterEach, beforeEach, test } from "node:test";
import { batchedAuthorization } from "../src/index.js";

let server, url, asked, answers;

beforeEach(async () => {
  asked = [];
  answers = (form) => {
    const channels = [...form].filter(([name]) => name.startsWith("channel_name["));
    return Object.fromEntries(
      channels.map(([, channel]) => [channel, { status: 200, data: { auth: `for ${channel}` } }]),
    );
  };
  server = createServer(async (request, response) => {
    const body = new URLSearchParams((await request.toArray()).join(""));
    asked.push({ body: [...body], headers: request.headers });
    const answer = answers(body);
    response.writeHead(typeof answer === "number" ? answer : 200);
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}/pusher/auth`;
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

const authorize = ({ customHandler }, channelName, socketId = "1.2") =>
  new Promise((resolve) =>
    customHandler({ socketId, channelName }, (error, data) => resolve(error ?? data)),
  );

test("channels that are asked for together are one request, and each has its answer", async () => {
  const batched = batchedAuthorization({ endpoint: url });
  const both = ["private-a", "presence-b"].map((name) => authorize(batched, name));
  assert.deepEqual(await Promise.all(both), [
    { auth: "for private-a" },
    { auth: "for presence-b" },
  ]);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0].body, [
    ["socket_id", "1.2"],
    ["channel_name[0]", "private-a"],
    ["channel_name[1]", "presence-b"],
  ]);
});

test("one that is refused does not take the others with it", async () => {
  const granted = { status: 200, data: { auth: "a" } };
  // As earlier versions of the endpoint answer.
  answers = () => ({ "1.2": { "private-a": granted, "private-b": { status: 403, data: {} } } });
  const batched = batchedAuthorization({ endpoint: url });
  const [a, b] = await Promise.all(
    ["private-a", "private-b"].map((name) => authorize(batched, name)),
  );
  assert.deepEqual(a, { auth: "a" });
  assert.deepEqual([b.message, b.status], ["Refused with status 403", 403]);
});

test("a request that is refused refuses all", async () => {
  answers = () => 403;
  const error = await authorize(batchedAuthorization({ endpoint: url }), "private-a");
  assert.equal(error.status, 403);
});

test("headers are asked for each time, so that a renewed token counts", async () => {
  let token = 1;
  const headers = async () => ({ Authorization: `Bearer ${token++}` });
  const batched = batchedAuthorization({ endpoint: url, headers });
  await authorize(batched, "private-a");
  await authorize(batched, "private-b");
  assert.deepEqual(
    asked.map((each) => each.headers.authorization),
    ["Bearer 1", "Bearer 2"],
  );
});

test("more than the endpoint takes at once are several requests", async () => {
  const batched = batchedAuthorization({ endpoint: url });
  const names = Array.from({ length: 250 }, (_, at) => `private-${at}`);
  const given = await Promise.all(names.map((name) => authorize(batched, name)));
  assert.deepEqual(given.at(-1), { auth: "for private-249" });
  assert.deepEqual(asked.map((each) => each.body.length - 1), [100, 100, 50]);
});

test("a server that is down for a moment is asked again", async () => {
  const granted = answers;
  answers = () => ((answers = granted), 503);
  const data = await authorize(batchedAuthorization({ endpoint: url }), "private-a");
  assert.deepEqual([data, asked.length], [{ auth: "for private-a" }, 2]);
});

test("what a newer connection asks for again is answered there alone", async () => {
  const batched = batchedAuthorization({ endpoint: url });
  let isAnswered = false;
  authorize(batched, "private-a", "1.1").then(() => (isAnswered = true));
  await authorize(batched, "private-a", "2.2");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([isAnswered, asked.length], [false, 1]);
});
