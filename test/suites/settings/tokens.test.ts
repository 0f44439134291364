// A token never shows: not in an error, not in what the command line prints, not in the daemon's log.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { type CacheClient, CacheServiceError, createCacheClient } from "compilecache-client";
import { callCli } from "../../support/cli/call-cli.ts";
import { tempDir } from "../../support/client/service-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";

const secret = "s3cr3t-of-ours";
const environment = { torchVersion: "2.1.0" };

const calls: Record<string, (client: CacheClient) => Promise<unknown>> = {
  load: (client) => client.load({ environment }),
  save: (client) => client.save({ environment }),
  watch: (client) => client.watch("none").next(),
  startTransfer: (client) => client.startTransfer({ source: "/a", destination: "/b" }),
  getTransfer: (client) => client.getTransfer("none"),
  listTransfers: (client) => client.listTransfers({ pageToken: "none" }),
  cancelTransfer: (client) => client.cancelTransfer("none"),
  getCacheInfo: (client) => client.getCacheInfo({ environment }),
  listCaches: (client) => client.listCaches({ pageToken: "none" }),
  deleteCache: (client) => client.deleteCache({ cacheKey: "none" }),
  clearLocalCache: (client) => client.clearLocalCache(),
};

/** All that a program could show of an error. */
function shownOf(error: unknown): string {
  const options = { depth: 9, showHidden: true };
  return [inspect(error, options), String(error), JSON.stringify(error)].join("\n");
}

describe("a token", () => {
  test("is taken without the blanks around it, on both sides", async (t) => {
    const tokens = join(await tempDir(t), "tokens");
    writeFileSync(tokens, `\ufeff# ours\r\nwrite\t${secret} \r\n`);
    const { address } = await startTestDaemon(t, { tokens });
    for (const token of [secret, `${secret}\n`, `  ${secret}\r\n`, `\ufeff${secret}`]) {
      const client = createCacheClient({ address, token });
      t.after(() => client.close());
      assert.deepEqual((await client.listCaches()).caches, []);
    }
    const env = { COMPILE_CACHE_TOKEN: `${secret}\n`, COMPILE_CACHE_ADDRESS: `"${address}"\n` };
    const listed = await callCli(["ls"], env);
    assert.equal(listed.exitCode, 0, listed.stderr);
  });

  test("that no call could carry is refused in words that do not show it", async (t) => {
    for (const token of [
      `${secret}\n${secret}`,
      `${secret} x`,
      `${secret}é`,
      `${secret}\0`,
      "\u202e",
    ])
      assert.throws(
        () => createCacheClient({ address: "localhost:1", token }),
        (error) => {
          assert.ok(error instanceof CacheServiceError);
          assert.equal(error.reason, "INVALID_REQUEST");
          assert.match(error.message, /COMPILE_CACHE_TOKEN/);
          assert.ok(!shownOf(error).includes(token.slice(0, 6)), shownOf(error));
          return true;
        },
      );
    const file = join(await tempDir(t), "tokens");
    writeFileSync(file, `read ${secret}é\n`);
    await assert.rejects(startTestDaemon(t, { tokens: file }), (error) => {
      assert.match(String(error), /line 1: .*printable ASCII/);
      return !shownOf(error).includes(secret);
    });
  });

  test("shows nowhere when calls fail", async (t) => {
    const tokens = join(await tempDir(t), "tokens");
    writeFileSync(tokens, "read another\nwrite yet-another\n");
    const { address, lines } = await startTestDaemon(t, { tokens });
    const nobody = `unix:${await tempDir(t)}/none.sock`;
    for (const to of [address, nobody]) {
      const client = createCacheClient({ address: to, token: secret });
      t.after(() => client.close());
      for (const [name, call] of Object.entries(calls))
        await assert.rejects(call(client), (error) => !shownOf(error).includes(secret), name);
    }
    assert.ok(!inspect(lines, { depth: 9 }).includes(secret));
  });

  test("shows nowhere on the command line", async (t) => {
    const { address, dir } = await startTestDaemon(t);
    const commands = [
      ["ls", "--timeout", "0.001"],
      ["rm", "000000000000"],
      ["watch", "none"],
      ["clear", "--dir", `${dir}/elsewhere`],
      ["load", "--torch", "2.1.0", "--dir", `${dir}/elsewhere`],
      ["nonsense"],
    ];
    for (const token of [secret, `${secret}\n${secret}`])
      for (const to of [address, `unix:${await tempDir(t)}/none.sock`, "nonsense"])
        for (const command of commands.slice(0, to === address ? undefined : 1)) {
          const env = { COMPILE_CACHE_TOKEN: token, COMPILE_CACHE_ADDRESS: to };
          const { exitCode, stdout, stderr } = await callCli(command, env);
          assert.notEqual(exitCode, 0, command.join(" "));
          assert.ok(!`${stdout}${stderr}`.includes(secret), stderr);
          assert.ok(!/^\s+at /m.test(stderr), stderr);
        }
  });
});
