import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { UsageError } from "../errors/usage-error.ts";

const variable = "COMPILE_CACHE_PYTHON";

/** The Python to ask about torch: `named`, else COMPILE_CACHE_PYTHON's, else the first on the PATH. Throws UsageError. */
export function findPython(named: string | undefined, purpose: string): string {
  const asked = named || process.env[variable];
  if (asked) {
    const found = which(asked);
    if (found) return found;
    throw new UsageError(`${named ? "--python" : variable} is no program: ${asked}`);
  }
  const found = which("python3") ?? which("python");
  if (found) return found;
  throw new UsageError(
    `${purpose} needs Python 3.9 or newer, and there is none on the PATH; name one with --python`,
  );
}

/** The script that any Python runs to be our command line there. */
export function pythonProgram(): string {
  const here = import.meta.dirname;
  const packages = [
    // Of the npm package, of the wheel (which holds this as _server), and of the repository.
    `${here}/../python/compilecache`,
    `${here}/../..`,
    `${here}/../../../../clients/python/src/compilecache`,
  ];
  const programs = packages.map((directory) => resolve(directory, "_as_program.py"));
  const found = programs.find((program) => existsSync(program));
  if (!found) throw new Error(`this package is not whole: there is no ${programs[0]}`);
  return found;
}

function which(name: string): string | undefined {
  if (name.includes("/")) return isProgram(name) ? resolve(name) : undefined;
  const directories = (process.env.PATH ?? "").split(delimiter).filter((entry) => entry !== "");
  return directories.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
