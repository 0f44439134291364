import { invalidRequest, invalidRequests } from "./cache-service-error.ts";
import { type Environment, fromEnvironmentMessage, toEnvironmentMessage } from "./environment.ts";
import { environmentShape } from "./require-call.ts";
import { shown } from "./shapes.ts";

const wanted = "give what compilecache env --json prints, parsed, or its environment";

/**
 * The environment in parsed JSON: in what `compilecache env --json` prints, in a cache of `compilecache ls
 * --json`, or by itself, also as an Environment is written in JSON. Throws INVALID_REQUEST for anything
 * else.
 */
export function environmentFromJson(value: unknown): Environment {
  if (!isObject(value))
    throw invalidRequest("value", `${shown(value)} holds no environment; ${wanted}`);
  const { error, environment = value } = value;
  if (isObject(error))
    throw invalidRequest("value", `tells of an error in place of an environment: ${error.message}`);
  if (!isObject(environment)) throw invalidRequest("environment", `is none; ${wanted}`);
  const named = Object.fromEntries(
    Object.entries(environment).map(([name, part]) => [inCamelCase(name), part]),
  );
  const violations = environmentShape(named, "environment");
  if (violations.length > 0) throw invalidRequests(violations);
  return fromEnvironmentMessage(toEnvironmentMessage(named as unknown as Environment));
}

function inCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
