// What clients/typescript/README.md has readers write, as it is written.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { call } from "../../support/client/service-client.ts";
import {
  cacheKey,
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { pageSnippets } from "../../support/readme/readme-snippets.ts";

const run = promisify(execFile);

describe("clients/typescript/README.md", () => {
  test("finds a cache by the report of an environment, loads by key and follows what runs", async (t) => {
    const { dir, address, client, localDir } = await startTestDaemon(t);
    writeFiles(localDir, 3);
    const { transfer } = await call(client, "save", { environment });
    symlinkSync(resolve(import.meta.dirname, "../../../node_modules"), `${dir}/node_modules`);
    const report = {
      cache_key: cacheKey,
      environment: { torch_version: environment.torchVersion },
    };
    writeFileSync(`${dir}/environment.json`, JSON.stringify(report));
    const follow = async (heading: string, ...args: string[]) => {
      const [program = ""] = pageSnippets("clients/typescript/README.md", heading, "ts");
      writeFileSync(`${dir}/program.mts`, program);
      const env = {
        PATH: process.env.PATH,
        COMPILE_CACHE_ADDRESS: address,
        TORCH_CACHE_DIR: localDir,
      };
      const { stdout } = await run(process.execPath, ["program.mts", ...args], { cwd: dir, env });
      return stdout;
    };

    assert.match(await follow("## An environment to save under"), /^torch-\S+ is stored\n$/);
    await follow("## A load by its cache key", cacheKey, `${dir}/other`);
    assert.equal(readdirSync(`${dir}/other`).length, 3);
    const followed = await follow("## Transfers that others started");
    assert.match(followed, new RegExp(`^${transfer?.operationId} save done success$`, "m"));
    assert.match(followed, /^\S+ load done success$/m);
  });
});
