// Random schedules end with a page that is equal to a GET. SCHEDULES=100000 runs so many of each
// kind: docs/performance.md has the table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "./simulator/run.js";

const COUNT = Number(process.env.SCHEDULES ?? 2_000);

for (const versions of [false, true]) {
  const which = versions ? "with versions" : "without versions";
  test(`${COUNT} schedules ${which} end in step`, async () => {
    assert.deepEqual(await simulate("ours", versions, 1, COUNT), []);
  });
}

test("the simulator finds what recipes by hand get wrong", async () => {
  for (const recipe of ["byHand", "mounted"]) {
    assert.ok((await simulate(recipe, false, 1, 200)).length > 20);
  }
});
