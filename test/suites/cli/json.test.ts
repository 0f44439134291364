import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { runCli } from "../../support/cli/run-cli.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { createTestPlace } from "../../support/daemon/daemons.ts";
import { documentedSchemas, documentPath, jsonSchemas } from "./json-schemas.ts";

describe("--json", () => {
  it("is documented as it is", () => {
    assert.deepEqual(
      JSON.parse(readFileSync(documentPath, "utf8")),
      JSON.parse(documentedSchemas()),
      "run: node test/suites/cli/json-schemas.ts",
    );
  });

  it("is what its schema says, of each command", async (t) => {
    const place = await createTestPlace(t);
    const localDir = join(place.allowed, "cache");
    makeCache(localDir, { scale: 0.002 });
    const { address } = await place.startDaemon();
    const key = "torch-2.11.0_cuda-13.0_cc-9.0_triton-3.6.0_py-3.12";
    const keyFile = join(dirname(place.store), "team");
    const daemon = ["--address", address];
    const target = ["--key", key, "--dir", localDir, ...daemon];
    const store = ["--store", `file://${place.store}`];
    const check = async (name: keyof typeof jsonSchemas, args: readonly string[]) => {
      const { stdout, stderr } = await callCli([...args, "--json"]);
      assert.equal(stderr, "");
      const lines = stdout.trimEnd().split("\n");
      for (const line of lines) {
        const { error } = jsonSchemas[name].safeParse(JSON.parse(line));
        assert.equal(error, undefined, `${args.join(" ")}: ${error?.message} in ${line}`);
      }
      return lines.map((line) => JSON.parse(line));
    };
    await check("keygen", ["keygen", keyFile]);
    await check("save", ["save", ...target]);
    await check("save", ["save", ...target]);
    await check("load", ["load", ...target, "--if-local-exists", "merge"]);
    await check("load", ["load", ...target, "--key", "torch-2.0_cpu_triton-none"]);
    await check("info", ["info", ...target]);
    await check("ls", ["ls", "--key", key, ...daemon]);
    const [{ transfers }] = await check("ps", ["ps", "--all", ...daemon]);
    await check("watch", ["watch", transfers[0].operation_id, ...daemon]);
    await check("cancel", ["cancel", transfers[0].operation_id, ...daemon]);
    await check("sign", ["sign", ...store, "--signing-key", `${keyFile}.key`]);
    await check("verify", ["verify", ...store]);
    await check("gc", ["gc", ...store, "--gc-keep", "0s", "--gc-max-files", "0"]);
    await check("clear", ["clear", "--dir", localDir, ...daemon]);
    await check("rm", ["rm", "--key", key, ...daemon]);
    const status = await check("status", ["status", ...daemon]);
    assert.equal(status[0].daemons[0].taken, true);
    const stop = await check("stop", ["stop", ...daemon]);
    assert.equal(stop[0].daemons[0].stopped, true);
  });

  it("tells of each command's failure in one form, with the exit code that goes with it", async (t) => {
    const { address, dir, localDir } = await startTestDaemon(t);
    const daemon = ["--address", address];
    const nobody = ["--address", `unix:${dir}/absent.sock`];
    const target = ["--torch", "2.11.0", "--dir", localDir];
    const noStore = ["--store", `file://${dir}/absent`];
    writeFileSync(join(dir, "there.pub"), "mine");
    const failures: [string[], number, string, string?][] = [
      [["load", ...target, ...nobody], 4, "UNAVAILABLE"],
      [["load", ...target, "--namespace", "-x", ...daemon], 2, "INVALID_ARGUMENT", "--namespace"],
      [["load", ...target, "--key", "k", ...daemon], 2, "INVALID_ARGUMENT"],
      [["save", ...target, "--dir", "/etc", ...daemon], 1, "PERMISSION_DENIED"],
      [["save", ...target, "--label", "X=1", ...daemon], 2, "INVALID_ARGUMENT", "--label X"],
      [["info", "--torch", "", ...daemon], 2, "INVALID_ARGUMENT", "--torch"],
      [["ls", "--namespace", "-x", ...daemon], 2, "INVALID_ARGUMENT", "--namespace"],
      [["rm", "0123456789ab", ...daemon], 3, "NOT_FOUND"],
      [["rm", "nonsense", ...daemon], 2, "INVALID_ARGUMENT", "<cache-key>"],
      [["clear", "--dir", "/etc", ...daemon], 1, "PERMISSION_DENIED"],
      [["ps", ...nobody], 4, "UNAVAILABLE"],
      [["watch", "absent", ...daemon], 3, "NOT_FOUND"],
      [["cancel", ...daemon], 2, "INVALID_ARGUMENT"],
      [["logs", ...nobody], 4, "UNAVAILABLE"],
      [["status", "--nonsense"], 2, "INVALID_ARGUMENT"],
      [["stop", "--timeout", "soon"], 2, "INVALID_ARGUMENT"],
      [["gc", ...noStore, "--gc-max-age", "soon"], 2, "INVALID_ARGUMENT", "--gc-max-age"],
      [["gc", ...noStore], 1, "UNAVAILABLE"],
      [["verify", ...noStore], 1, "UNAVAILABLE"],
      [["sign", ...noStore], 1, "UNAVAILABLE"],
      [["sign", "--signing-key", "/none"], 2, "INVALID_ARGUMENT", "--signing-key"],
      [["keygen", join(dir, "there")], 1, "ALREADY_EXISTS"],
      [["keygen", "one", "two"], 2, "INVALID_ARGUMENT"],
      [["nonsense"], 2, "INVALID_ARGUMENT"],
    ];
    for (const [args, exitCode, code, field] of failures) {
      const result = await callCli([...args, "--json"]);
      const words = `${args.join(" ")}: ${JSON.stringify(result)}`;
      assert.equal(result.stderr, "", words);
      const { error } = jsonSchemas.error.parse(JSON.parse(result.stdout));
      assert.deepEqual([result.exitCode, error.code], [exitCode, code], words);
      assert.equal(error.violations[0]?.field, field, words);
    }
    const noPython = await runCli(["env", "--json"], { COMPILE_CACHE_PYTHON: "/none" });
    assert.equal(noPython.exitCode, 2);
    jsonSchemas.error.parse(JSON.parse(noPython.stdout));
    const env = { COMPILE_CACHE_GC_MAX_AGE: "soon" };
    const byVariable = await callCli(["gc", ...noStore, "--json"], env);
    const { error } = jsonSchemas.error.parse(JSON.parse(byVariable.stdout));
    assert.equal(error.violations[0]?.field, "COMPILE_CACHE_GC_MAX_AGE");
  });
});
