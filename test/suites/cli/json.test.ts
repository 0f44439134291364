import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { callCli } from "../../support/cli/call-cli.ts";
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
    await callCli(["keygen", keyFile]);
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
    await check("error", ["rm", "--key", key, ...daemon]);
    await check("error", ["load", ...target, "--torch", "2"]);
  });
});
