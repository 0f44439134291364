import type {
  LoadRequest,
  SaveRequest,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import {
  IfLocalExists,
  IfStoredExists,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import type { Environment as WireEnvironment } from "compilecache-client/gen/compilecache/v1/environment.ts";
import { invalidField } from "../domain/cache-error.ts";
import { type Environment, requireModestSize } from "../domain/environment.ts";
import type { LoadSpec, SaveSpec } from "../transfer/cache-core.ts";

const localPolicies = new Map<number, LoadSpec["ifLocalExists"]>([
  [IfLocalExists.IF_LOCAL_EXISTS_UNSPECIFIED, "SKIP"],
  [IfLocalExists.IF_LOCAL_EXISTS_SKIP, "SKIP"],
  [IfLocalExists.IF_LOCAL_EXISTS_MERGE, "MERGE"],
  [IfLocalExists.IF_LOCAL_EXISTS_REPLACE, "REPLACE"],
]);

const storedPolicies = new Map<number, SaveSpec["ifStoredExists"]>([
  [IfStoredExists.IF_STORED_EXISTS_UNSPECIFIED, "SKIP"],
  [IfStoredExists.IF_STORED_EXISTS_SKIP, "SKIP"],
  [IfStoredExists.IF_STORED_EXISTS_REFRESH, "REFRESH"],
  [IfStoredExists.IF_STORED_EXISTS_REPLACE, "REPLACE"],
]);

function known<T>(words: ReadonlyMap<number, T>, value: number, field: string): T {
  const word = words.get(value);
  if (word === undefined) throw invalidField(field, `${value} is no value of this version`);
  return word;
}

/** The environment that a request may name. Throws INVALID_REQUEST. */
export function toEnvironment(environment: WireEnvironment | undefined): Environment | undefined {
  if (environment) requireModestSize(environment);
  return environment;
}

/** The environment that a request must name. Throws INVALID_REQUEST. */
export function requireEnvironment(environment: WireEnvironment | undefined): Environment {
  const named = toEnvironment(environment);
  if (named) return named;
  throw invalidField("environment", "is required");
}

/** The operation id that a request must name. Throws INVALID_REQUEST. */
export function requireOperationId(operationId: string): string {
  if (operationId !== "") return operationId;
  throw invalidField("operation_id", "is required");
}

/** Throws INVALID_REQUEST. */
export function toLoadSpec(request: LoadRequest): LoadSpec {
  return {
    namespace: request.namespace,
    environment: requireEnvironment(request.environment),
    localDir: request.localDir,
    ifLocalExists: known(localPolicies, request.ifLocalExists, "if_local_exists"),
  };
}

/** Throws INVALID_REQUEST. */
export function toSaveSpec(request: SaveRequest): SaveSpec {
  return {
    namespace: request.namespace,
    environment: requireEnvironment(request.environment),
    localDir: request.localDir,
    ifStoredExists: known(storedPolicies, request.ifStoredExists, "if_stored_exists"),
    profile: request.profile,
  };
}
