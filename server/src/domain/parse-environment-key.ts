import { type Environment, environmentKey } from "./environment.ts";

/** The environment that has this key: the inverse of environmentKey. Undefined for what is no such key. */
export function parseEnvironmentKey(key: string): Environment | undefined {
  const found = new Map<string, string>();
  for (const part of key.split("_")) {
    const [, name, value = ""] = /^([a-z][a-z0-9]*)(?:-(.*))?$/.exec(part) ?? [];
    if (name === undefined || found.has(name)) return undefined;
    found.set(name, value);
  }
  const take = (name: string) => {
    const value = found.get(name) ?? "";
    found.delete(name);
    return value;
  };
  const triton = take("triton");
  take("cpu");
  const environment = {
    torchVersion: take("torch"),
    cudaVersion: take("cuda"),
    computeCapability: take("cc"),
    tritonVersion: triton === "none" ? "" : triton,
    extra: Object.fromEntries(found),
  };
  try {
    // What comes out otherwise was not in the one form that a key has.
    return environmentKey(environment) === key ? environment : undefined;
  } catch {
    return undefined;
  }
}
