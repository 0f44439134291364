import { nearest } from "./nearest.ts";
import { settings } from "./settings.ts";

const prefix = "COMPILE_CACHE_";

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
      const near = nearest(name, [...knownVariables]);
      return near ? [`${name} is no setting; did you mean ${near}?`] : [];
    });
}
