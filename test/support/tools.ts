import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The programs that `npm run test:stores` installs. */
export type ToolName = "versitygw" | "minio" | "garage" | "toxiproxy-server";

/** Where Go puts programs. */
export const goBin = process.env.GOBIN || join(process.env.GOPATH || join(homedir(), "go"), "bin");
/** Where Cargo does, below which is `bin`. */
export const cargoHome = process.env.CARGO_HOME || join(homedir(), ".cargo");
const places = [goBin, join(cargoHome, "bin"), ...(process.env.PATH ?? "").split(delimiter)];

/** Where a program is; undefined if it is not installed. */
export function findTool(name: ToolName): string | undefined {
  return places
    .map((place) => join(place, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Whether `npm run test:stores` runs, which leaves nothing out; `npm test` takes what is quick. */
export const runsAll = process.env.STORE_TESTS === "all";

/**
 * Why tests that need these programs are left out; undefined where they run. Throws where nothing is
 * to be left out.
 */
export function lacksTools(...names: ToolName[]): string | undefined {
  const missing = names.filter((name) => !findTool(name));
  if (missing.length === 0) return undefined;
  if (runsAll) throw new Error(`${missing.join(", ")} should have been installed`);
  return `${missing.join(", ")} not installed; npm run test:stores installs it`;
}

/** The same for tests that take long. */
export function leavesOut(...names: ToolName[]): string | undefined {
  return runsAll ? lacksTools(...names) : "takes long; npm run test:stores runs it";
}
