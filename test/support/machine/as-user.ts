import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The number of a user and group without any privileges. */
export const nobody = 60_000;

/** Runs the text of a module as that user; returns what it prints, parsed as JSON. */
export function runAsNobody(text: string): unknown {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", text],
    { uid: nobody, gid: nobody, cwd: "/", encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`exit ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Where a module of the server lies, for an import in such a text. */
export function serverModule(path: string): string {
  return JSON.stringify(fileURLToPath(new URL(`../../../server/src/${path}`, import.meta.url)));
}

/** Why tests with another user must be skipped here, or false. */
export const cannotBeNobody: string | false = (() => {
  if (process.getuid?.() !== 0) return "only root can run something as another user";
  try {
    runAsNobody(`import ${serverModule("domain/cache-error.ts")}; console.log("{}")`);
    return false;
  } catch {
    return "another user cannot read this repository";
  }
})();
