import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A case of test/vectors/places.json: what surrounds a process, and where something then lies. */
export interface Place {
  readonly name: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly account?: string | null;
  readonly uid?: number;
  readonly directories?: readonly string[];
  readonly files?: readonly string[];
  readonly links?: readonly string[];
  readonly serve?: "mistake";
  readonly expected: string;
}

interface Places {
  readonly local_directory: readonly Place[];
  readonly user_socket: readonly Place[];
  /** `expected` is null for what is no address. */
  readonly address: readonly { readonly text: string; readonly expected: string | null }[];
}

export const places: Places = JSON.parse(
  readFileSync(new URL("../vectors/places.json", import.meta.url), "utf8"),
);

/** Makes what surrounds the process in a case; returns its variables, and what is expected. */
export function arrange(t: TestContext, place: Place) {
  const root = mkdtempSync("/tmp/cc-place-");
  for (const name of ["cwd", ...(place.directories ?? [])])
    mkdirSync(join(root, name), { recursive: true });
  for (const name of place.files ?? []) writeFileSync(join(root, name), "");
  for (const name of place.links ?? []) symlinkSync("cwd", join(root, name));
  const before = process.cwd();
  process.chdir(join(root, "cwd"));
  const { getuid } = process;
  const { uid = process.getuid?.() } = place;
  Object.assign(process, { getuid: () => uid });
  const { mock } = t.mock.method(os, "userInfo", () => {
    if (typeof place.account === "string") return { username: place.account };
    throw new Error("ENOENT");
  });
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
    Object.assign(process, { getuid });
    process.chdir(before);
    rmSync(root, { recursive: true });
  });
  const filled = (text: string) => text.replaceAll("<root>", root).replaceAll("<uid>", String(uid));
  const variables = Object.entries(place.environment).map(([name, text]) => [name, filled(text)]);
  return {
    environment: Object.fromEntries(variables) as Record<string, string>,
    expected: filled(place.expected),
  };
}
