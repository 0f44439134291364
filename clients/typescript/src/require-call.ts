import { type FieldViolation, invalidRequests } from "./cache-service-error.ts";
import {
  anything,
  callback,
  count,
  flag,
  objectOf,
  optional,
  path,
  recordOf,
  required,
  type Shape,
  shown,
  signal,
  text,
} from "./shapes.ts";

const environmentMembers = objectOf(
  {
    torchVersion: required(text, 'for example "2.11.0"'),
    cudaVersion: optional(text),
    computeCapability: optional(text),
    tritonVersion: optional(text),
    extra: optional(recordOf(text)),
  },
  { closed: true, wanted: 'no environment, which is an object such as { torchVersion: "2.11.0" }' },
);

const byKey =
  "of a cache key, list the caches and give the environment of the one that has it " +
  "(or compilecache load --key)";

/** An environment as a request names it. */
export const environmentShape: Shape = (value, field) => {
  if (typeof value === "object" && value !== null && "environment" in value)
    return [
      { field, description: "holds an environment and more; environmentFromJson takes it out" },
    ];
  if (typeof value !== "string") return environmentMembers(value, field);
  return [{ field, description: `${shown(value)} is no environment but text; ${byKey}` }];
};

const environment = required(environmentShape, `such as { torchVersion: "2.11.0" }; ${byKey}`);
const target = { namespace: optional(text), environment, localDir: optional(path) };
const page = { pageSize: optional(count), pageToken: optional(text) };
const operationId = required(text, "the operation id of a transfer");

function input(members: Readonly<Record<string, Shape>>): Shape {
  const names = Object.keys(members).join(", ");
  return objectOf(members, { name: "input", wanted: `no object; give one that may have ${names}` });
}

/** What the first argument of each call must be. Policies are judged where they are translated. */
const inputs = {
  load: input({ ...target, detach: optional(flag), ifLocalExists: anything }),
  save: input({
    ...target,
    detach: optional(flag),
    ifStoredExists: anything,
    profile: optional(text),
  }),
  startTransfer: input({
    source: required(path, "the path of a file or directory"),
    destination: required(path, "the path that it shall have"),
    operationName: optional(text),
  }),
  listTransfers: input({ includeFinished: optional(flag), ...page }),
  getCacheInfo: input(target),
  listCaches: input({
    namespace: optional(text),
    environment: optional(environmentShape),
    ...page,
  }),
  deleteCache: input({
    namespace: optional(text),
    cacheKey: required(text, 'for example "0123456789ab"'),
  }),
  clearLocalCache: input({ localDir: optional(path) }),
} as const;

const callOptions = objectOf(
  { signal: optional(signal), timeoutMs: anything, onStarted: optional(callback) },
  { name: "options", wanted: "no object; give one that may have signal and timeoutMs" },
);

const clientOptions = objectOf(
  {
    address: optional(text),
    namespace: optional(text),
    token: optional(text),
    tls: optional(
      objectOf(
        {
          ca: required(path, "a file of certificates, or system"),
          certificate: optional(path),
          key: optional(path),
          name: optional(text),
        },
        { wanted: "no object of paths" },
      ),
    ),
    timeoutMs: anything,
  },
  { name: "options", wanted: 'no object; give one such as { address: "unix:/path" }' },
);

/** Throws INVALID_REQUEST for what is no input of a call, or no options of one. */
export function requireCall(name: keyof typeof inputs, given: unknown, call: unknown): void {
  refuse([...inputs[name](given === undefined ? {} : given, ""), ...callOptions(call, "")]);
}

/** The same for a call about one transfer. */
export function requireOperation(id: unknown, call: unknown): void {
  refuse([...operationId(id, "operationId"), ...callOptions(call, "")]);
}

/** Throws INVALID_REQUEST for what are no options of a client. */
export function requireClientOptions(options: unknown): void {
  // A token is never shown.
  const hidden =
    typeof options === "object" && options !== null && "token" in options
      ? { ...options, token: typeof options.token === "string" ? "" : {} }
      : options;
  refuse(clientOptions(hidden, ""));
}

function refuse(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw invalidRequests(violations);
}
