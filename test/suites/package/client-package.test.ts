import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { bundleClient } from "../../../scripts/package/bundle-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { printed, programs, writeTypedConsumers } from "../../support/package/consumers.ts";

const run = promisify(execFile);
const tsc = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));

describe("the package of the TypeScript client", () => {
  it("serves all that imports, requires, bundles or checks it", async (t) => {
    const { dir, address } = await startTestDaemon(t);
    const place = join(dir, "consumers");
    const installed = join(place, "node_modules", "compilecache-client");
    mkdirSync(installed, { recursive: true });
    await bundleClient(installed);
    writeFileSync(join(place, "package.json"), "{}");
    const printedBy = async (file: string) =>
      (await run(process.execPath, [join(place, file), address])).stdout;

    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(place, name), text);
      await t.test(name, async () => assert.equal(await printedBy(name), printed));
    }

    await t.test("has an error that nobody catches shown in few words", async () => {
      const file = join(place, "uncaught.mjs");
      writeFileSync(
        file,
        'import { createCacheClient } from "compilecache-client"; createCacheClient({ address: "?" });',
      );
      const { stderr } = await run(process.execPath, [file]).catch((error) => error);
      assert.match(stderr, /INVALID_REQUEST/);
      assert.ok(stderr.length < 4000, `${stderr.length} characters`);
    });

    for (const format of ["esm", "cjs"] as const)
      for (const entry of ["imports.mjs", "imports-late.cjs", "requires.cjs"]) {
        if (format === "cjs" && entry === "imports.mjs") continue; // It awaits at its top.
        await t.test(`${entry}, bundled once more as ${format}`, async () => {
          const file = `bundled-${entry}.${format === "esm" ? "mjs" : "cjs"}`;
          const options = { bundle: true, platform: "node", format, logLevel: "error" } as const;
          const builtins = format === "esm" && entry === "requires.cjs";
          await build({
            ...options,
            entryPoints: [join(place, entry)],
            outfile: join(place, file),
            // What requires in a bundle of ES modules needs a require, whatever it requires.
            ...(builtins && {
              banner: {
                js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
              },
            }),
          });
          assert.equal(await printedBy(file), printed);
        });
      }

    for (const project of writeTypedConsumers(place))
      await t.test(`types by ${project.slice(place.length + 1)}`, async () => {
        const { stdout } = await run(process.execPath, [tsc, "-p", project]).catch(
          (error: { stdout: string }) => error,
        );
        assert.equal(stdout, "");
      });

    await t.test("needs no other package, and holds its licences", () => {
      const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
      assert.equal(manifest.dependencies, undefined);
      const files = readdirSync(installed);
      for (const name of ["LICENSE", "README.md", "THIRD_PARTY_LICENSES.txt"])
        assert.ok(files.includes(name), name);
      const licences = readFileSync(join(installed, "THIRD_PARTY_LICENSES.txt"), "utf8");
      assert.match(licences, /^@grpc\/grpc-js 1\./m);
    });
  });
});
