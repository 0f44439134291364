import assert from "node:assert/strict";
import { it } from "node:test";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { startTestDaemon } from "../../support/test-daemon.ts";
import { startCliOnTerminal } from "./run-cli.ts";

it("draws a bar on a terminal while a save runs, and takes it away at the end", async (t) => {
  const { address, localDir } = await startTestDaemon(t);
  makeCache(localDir, { scale: 0.3 });
  const args = ["save", "--torch", "2.11.0", "--dir", localDir, "--address", address];
  const { ended } = startCliOnTerminal(args);
  const { exitCode, stdout } = await ended;
  assert.equal(exitCode, 0, stdout);
  const total = "of [\\d.]+ MB {2}[\\d,]+ of 3,\\d{3} files";
  assert.match(stdout, new RegExp(`packing +\\[[■ ]{30}\\] \\d+% {2}[\\d.]+ k?M?B ${total}`));
  const lastLine = stdout.trimEnd().split("\n").at(-1);
  assert.match(lastLine ?? "", /saved 3,\d{3} files \(\d+ MB\) as default/);
});
