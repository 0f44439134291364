import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { findPeer } from "./peer.ts";
import { mainChart } from "./report/main-chart.ts";
import { publish } from "./report/publish.ts";
import { createReport, toMarkdown } from "./report/report.ts";
import { createScratch } from "./scratch.ts";
import type { Suite, SuiteContext } from "./suite.ts";
import { bytes } from "./suites/bytes.ts";
import { calls } from "./suites/calls.ts";
import { cores } from "./suites/cores.ts";
import { daemons } from "./suites/daemons.ts";
import { files } from "./suites/files.ts";
import { latency } from "./suites/latency.ts";
import { main } from "./suites/main.ts";
import { objectStore } from "./suites/object-store.ts";
import { owners } from "./suites/owners.ts";
import { watchers } from "./suites/watchers.ts";

const suites: Record<string, Suite> = {
  main,
  files,
  bytes,
  cores,
  latency,
  calls,
  watchers,
  daemons,
  owners,
  "object-store": objectStore,
};
const bytesPerGB = 1e9;

interface Options {
  cache?: string;
  rounds: number;
  suite: string;
  out: string;
  maxGb: number;
  peer: boolean;
  publish?: true;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

const program = new Command("npm run bench --")
  .description("Measures the daemon through its socket, as a user sees it.")
  .option("--cache <dir>", "cache directory to measure with (the real one, else a generated one)")
  .option("--rounds <count>", "rounds that count", positive, 5)
  .addOption(
    new Option("--suite <name>", "what to measure")
      .choices([...Object.keys(suites), "all"])
      .default("main"),
  )
  .option("--out <dir>", "where results go", fileURLToPath(import.meta.resolve("./out")))
  .option("--max-gb <size>", "largest cache of the suite bytes", positive, 10)
  .option("--no-peer", "leave b10-transfer out")
  .option("--publish", "put table and chart into docs/, too")
  .parse();
const options = program.opts<Options>();

const say = (text: string) => process.stderr.write(`bench: ${text}\n`);
const stop = () => process.exit(130);
process.once("SIGINT", stop);
process.once("SIGTERM", stop);

mkdirSync(options.out, { recursive: true });
for (const [name, suite] of Object.entries(suites)) {
  if (options.suite !== "all" && options.suite !== name) continue;
  const result = await inScratch(suite, name);
  const report = createReport(name, commandOf(name), options.rounds, result);
  const markdown = toMarkdown(report);
  const chart = name === "main" ? mainChart(report) : undefined;
  writeFileSync(join(options.out, `${name}.json`), `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync(join(options.out, `${name}.md`), `${markdown}\n`);
  if (chart) writeFileSync(join(options.out, `${name}.svg`), chart);
  if (options.publish) publish(name, markdown, chart);
  process.stdout.write(`${markdown}\n\n`);
}

/** Runs a suite and removes the directories that it used. */
async function inScratch(suite: Suite, name: string) {
  const places: ReturnType<typeof createScratch>[] = [];
  const context: SuiteContext = {
    cache: options.cache,
    rounds: options.rounds,
    maxBytes: options.maxGb * bytesPerGB,
    peer: options.peer ? findPeer() : undefined,
    scratch(bytes) {
      const place = createScratch(bytes);
      places.push(place);
      say(`${name}: on ${place.kind}`);
      return place;
    },
    say: (text) => say(`${name}: ${text}`),
  };
  try {
    return await suite(context);
  } finally {
    for (const place of places) place.remove();
  }
}

/** The command that runs one suite with the same options. */
function commandOf(name: string): string {
  const words = ["npm run bench --", `--suite ${name}`, `--rounds ${options.rounds}`];
  if (options.cache !== undefined) words.push("--cache DIR");
  if (name === "bytes") words.push(`--max-gb ${options.maxGb}`);
  return words.join(" ");
}
