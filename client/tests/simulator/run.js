// node tests/simulator/run.js [schedules] [first seed]: how many end with a page that differs.

import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import * as pages from "./pages.js";
import { isSame, run } from "./schedule.js";

const THREADS = 2;

/** Run schedules of a kind of page; return the seeds of those that end wrong. */
export async function wrongOf(name, versions, first, count, step = 1) {
  const wrong = [];
  for (let seed = first; seed < first + count; seed += step) {
    const { page, server, status } = await run(seed, pages[name], versions);
    if (!isSame(page, server) || (status && status !== "live")) wrong.push(seed);
  }
  return wrong;
}

/** As `wrongOf`, in several threads. */
export async function simulate(name, versions, first, count) {
  const parts = Array.from({ length: THREADS }, (_, part) => {
    const worker = new Worker(fileURLToPath(import.meta.url), {
      workerData: [name, versions, first + part, count - part, THREADS],
    });
    return new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
  });
  return (await Promise.all(parts)).flat().sort((a, b) => a - b);
}

if (!isMainThread) parentPort.postMessage(await wrongOf(...workerData));
else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [count = 10_000, first = 1] = process.argv.slice(2).map(Number);
  for (const name of Object.keys(pages)) {
    for (const versions of [false, true]) {
      const started = Date.now();
      const wrong = await simulate(name, versions, first, count);
      const which = versions ? "with versions" : "without";
      const examples = wrong.slice(0, 5).join(" ");
      console.log(`${name} ${which}: ${wrong.length} of ${count} wrong`, examples, Date.now() - started);
    }
  }
}
