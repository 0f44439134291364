import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";

const source = resolve(import.meta.dirname, "../server/src");

/** What each folder may import besides itself: layers point one way. */
const allowed: Record<string, readonly string[]> = {
  domain: [],
  store: ["domain"],
  local: ["domain"],
  archive: ["domain", "local", "store"],
  workers: ["domain", "local", "archive"],
  transfer: ["domain", "local", "archive", "store", "workers"],
  service: ["domain", "transfer"],
};

/** Packages that only one folder may import. */
const onlyIn: Record<string, string> = {
  "@grpc/grpc-js": "service",
  "grpc-health-check": "service",
  "compilecache-client/gen": "service",
  tar: "archive",
  piscina: "workers",
  "@aws-sdk/client-s3": "store",
};

function* modules(folder: string): Generator<{ path: string; imports: string[] }> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* modules(path);
    else if (path.endsWith(".ts") && !path.endsWith(".test.ts")) {
      const text = readFileSync(path, "utf8");
      const imports = [...text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)";/gm)];
      yield { path, imports: imports.map((match) => match[1] as string) };
    }
  }
}

function folderOf(path: string): string {
  const [first = "", rest] = relative(source, path).split("/");
  return rest === undefined ? "" : first;
}

describe("layers of the server", () => {
  const all = [...modules(source)];

  it("finds the modules", () => {
    assert.ok(all.length > 40, `found only ${all.length}`);
  });

  it("import only what lies to their right", () => {
    const wrong = all.flatMap(({ path, imports }) => {
      const from = folderOf(path);
      const may = allowed[from];
      return imports
        .filter((name) => may && name.startsWith("."))
        .map((name) => folderOf(resolve(dirname(path), name)))
        .filter((to) => to !== from && !may?.includes(to))
        .map((to) => `${relative(source, path)} imports ${to || "the top"}/`);
    });
    assert.deepEqual(wrong, []);
  });

  it("leave each package to the folder that owns it", () => {
    const wrong = all.flatMap(({ path, imports }) =>
      Object.entries(onlyIn)
        .filter(
          ([name, owner]) =>
            folderOf(path) !== owner && imports.some((i) => i === name || i.startsWith(`${name}/`)),
        )
        .map(([name]) => `${relative(source, path)} imports ${name}`),
    );
    assert.deepEqual(wrong, []);
  });
});
