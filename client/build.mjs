// Builds the file that the Django app serves; `--check` only says whether it is what it should be.

import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const FILE = new URL(
  "../src/drf_model_pusher/static/drf_model_pusher/client.js",
  import.meta.url,
);
const LIMIT = 4096; // bytes, minified and gzipped

const { outputFiles } = await build({
  absWorkingDir: new URL(".", import.meta.url).pathname,
  entryPoints: ["src/index.js"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  write: false,
  banner: { js: "// drf-model-pusher's client; its source is in client/src of the project." },
});
const built = outputFiles[0].text;
const size = gzipSync(built, { level: 9 }).length;
console.log(`${size} bytes minified and gzipped, of ${LIMIT}`);
if (size > LIMIT) process.exitCode = 1;
if (!process.argv.includes("--check")) writeFileSync(FILE, built);
else if (readFileSync(FILE, "utf8") !== built) {
  console.error("The static file is not what is built: make client");
  process.exitCode = 1;
}
