import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import type { Figures } from "./figures.ts";
import { measure } from "./measure/measure.ts";
import { writePage } from "./page/write-page.ts";

interface Options {
  cache?: string;
  rounds: number;
  out: string;
  figures?: string;
}

function wholeRounds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be 1 or more.");
  return value;
}

const { cache, rounds, out, figures } = new Command("npm run bench:scale --")
  .description(
    "Measures what loads and saves ask of a store, simulates fleets, writes docs/scale.md.",
  )
  .option("--cache <dir>", "cache directory to measure with (the real one, else a generated one)")
  .option("--rounds <count>", "rounds that count", wholeRounds, 2)
  .option(
    "--out <dir>",
    "where the measured figures go",
    fileURLToPath(import.meta.resolve("../out")),
  )
  .option("--figures <file>", "measure nothing, take these figures")
  .parse()
  .opts<Options>();

const startedAt = performance.now();
const say = (text: string) => {
  const elapsedS = (performance.now() - startedAt) / 1000;
  process.stderr.write(`scale: ${elapsedS.toFixed(0)} s: ${text}\n`);
};
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(130));

const measured: Figures = figures
  ? JSON.parse(readFileSync(figures, "utf8"))
  : await measure({ cache, rounds, say });
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "scale.json"), `${JSON.stringify(measured, undefined, 2)}\n`);
say("simulating");
writePage(measured);
say("done: docs/scale.md");
