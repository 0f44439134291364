import { writeFileSync } from "node:fs";
import { join } from "node:path";

const body = `
const client = createCacheClient({ address: process.argv[2] });
const wrong = await client.getCacheInfo({ environment: { torchVersion: "" }, localDir: "/" }).catch((e) => e);
const { caches } = await client.listCaches();
client.close();
console.log(wrong instanceof CacheServiceError, wrong.violations[0]?.field, caches.length);
`;
const asCommonJs = `(async () => {${body}})();`;

/** What each program prints: the class of errors, a field by this client's names, and no cache. */
export const printed = "true environment.torchVersion 0\n";

/** Programs that use the package, by the name of their file. */
export const programs: Readonly<Record<string, string>> = {
  "imports.mjs": `import { createCacheClient, CacheServiceError } from "compilecache-client";${body}`,
  "requires.cjs": `const { createCacheClient, CacheServiceError } = require("compilecache-client");${asCommonJs}`,
  "imports-late.cjs": `import("compilecache-client").then(async ({ createCacheClient, CacheServiceError }) => {${body}});`,
  "manifest.cjs": `if (require("compilecache-client/package.json").name !== "compilecache-client") throw 1; console.log("${printed.trim()}");`,
};

const typed = `
import { createCacheClient, CacheServiceError, type CacheClient, type ErrorCode, type Transfer } from "compilecache-client";
export async function f(client: CacheClient): Promise<Transfer> {
  const { status, transfer } = await client.load({ environment: { torchVersion: "2.11.0" }, ifLocalExists: "merge" });
  const known: "success" | "skipped" | "does_not_exist" | "error" | "in_progress" | \`unknown\${string}\` = status as never;
  // @ts-expect-error: there is no such policy
  await client.load({ environment: { torchVersion: "2.11.0" }, ifLocalExists: "sometimes" });
  void known;
  return transfer;
}
export const codeOf = (error: unknown): ErrorCode | undefined =>
  error instanceof CacheServiceError ? error.code : undefined;
void f(createCacheClient());
`;

/** Sources that a compiler checks, and the options of each check. */
export const checks = [
  ...["node16", "nodenext"].map((module) => ({ module, moduleResolution: module })),
  { module: "esnext", moduleResolution: "bundler" },
];

/** Writes sources of each kind, and the options to check them by; returns the names of the projects. */
export function writeTypedConsumers(directory: string): string[] {
  for (const kind of ["ts", "mts", "cts"])
    writeFileSync(join(directory, `typed-${kind}.${kind}`), typed);
  return checks.map(({ module, moduleResolution }) => {
    const project = join(directory, `tsconfig.${moduleResolution}.json`);
    const compilerOptions = {
      ...{ module, moduleResolution, target: "es2022", lib: ["es2023", "dom"] },
      ...{ strict: true, noEmit: true, skipLibCheck: false, types: [] },
    };
    writeFileSync(project, JSON.stringify({ compilerOptions, include: ["typed-*"] }));
    return project;
  });
}
