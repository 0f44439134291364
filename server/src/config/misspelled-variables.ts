import { settings } from "./settings.ts";

const prefix = "COMPILE_CACHE_";
const mostEdits = 3;

/** Those of the clients, and of who starts a daemon. */
const ofOthers = [
  "COMPILE_CACHE_ADDRESS",
  "COMPILE_CACHE_LOAD_DEADLINE_SECONDS",
  "COMPILE_CACHE_NAMESPACE",
  "COMPILE_CACHE_NODE",
  "COMPILE_CACHE_PYTHON",
  "COMPILE_CACHE_QUIET",
  "COMPILE_CACHE_SAVE_DEADLINE_SECONDS",
  "COMPILE_CACHE_STARTED_BY",
  "COMPILE_CACHE_TLS_CA",
  "COMPILE_CACHE_TLS_CERT",
  "COMPILE_CACHE_TLS_KEY",
  "COMPILE_CACHE_TLS_NAME",
  "COMPILE_CACHE_TOKEN",
];

/** All variables with our prefix that mean something. */
export const knownVariables: ReadonlySet<string> = new Set([
  ...Object.values(settings)
    .map(({ variable }) => variable)
    .filter((variable) => variable.startsWith(prefix)),
  ...ofOthers,
]);

/** A warning for each variable that means nothing, and is nearly one that does. */
export function misspelledVariables(environment: NodeJS.ProcessEnv): string[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !knownVariables.has(name))
    .flatMap((name) => {
      const near = [...knownVariables]
        .map((known) => ({ known, edits: editsBetween(name, known) }))
        .filter(({ edits }) => edits <= mostEdits)
        .sort((one, other) => one.edits - other.edits)[0];
      return near ? [`${name} is no setting; did you mean ${near.known}?`] : [];
    });
}

/** How many letters are to be added, removed or replaced. */
function editsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (const [above, letter] of [...one].entries()) {
    const next = [above + 1];
    for (const [at, expected] of [...other].entries()) {
      const replaced = (row[at] as number) + (letter === expected ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] as number) + 1, (next[at] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
