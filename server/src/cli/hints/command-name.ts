import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const name = "compilecache";

/**
 * How a hint names this program, so that it works as it is pasted: through npx where npx started it, and
 * the shell that the person has would not find it.
 */
export function commandName(env: NodeJS.ProcessEnv = process.env): string {
  if (env.npm_command !== "exec") return name;
  // npm puts those of packages in front, which the person's shell does not have.
  const directories = (env.PATH ?? "")
    .split(delimiter)
    .filter((entry) => entry !== "" && !entry.endsWith("node_modules/.bin"));
  return directories.some((directory) => isProgram(join(directory, name))) ? name : `npx ${name}`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
