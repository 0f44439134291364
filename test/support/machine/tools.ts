import { findTool, type ToolName } from "../../../fixtures/tools.ts";

/** Whether `npm run test:stores` runs, which skips nothing; `npm test` runs what is quick. */
export const runsAll = process.env.STORE_TESTS === "all";

/**
 * Why tests that need these programs are skipped; undefined where they run. Throws if a program is
 * missing where no test may be skipped.
 */
export function lacksTools(...names: ToolName[]): string | undefined {
  const missing = names.filter((name) => !findTool(name));
  if (missing.length === 0) return undefined;
  if (runsAll) throw new Error(`${missing.join(", ")} should have been installed`);
  return `${missing.join(", ")} not installed; npm run test:stores installs it`;
}

/** The same for tests that take long: `npm test` skips them even if the programs are installed. */
export function leavesOut(...names: ToolName[]): string | undefined {
  return runsAll ? lacksTools(...names) : "takes long; npm run test:stores runs it";
}
