import type {
  LoadRequest,
  SaveRequest,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import {
  IfLocalExists,
  IfStoredExists,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { invalidField } from "../domain/cache-error.ts";
import type { LoadSpec, SaveSpec } from "../operations/cache-operations.ts";

const localPolicies = new Map<number, NonNullable<LoadSpec["ifLocalExists"]>>([
  [IfLocalExists.IF_LOCAL_EXISTS_UNSPECIFIED, "SKIP"],
  [IfLocalExists.IF_LOCAL_EXISTS_SKIP, "SKIP"],
  [IfLocalExists.IF_LOCAL_EXISTS_MERGE, "MERGE"],
  [IfLocalExists.IF_LOCAL_EXISTS_REPLACE, "REPLACE"],
]);

const storedPolicies = new Map<number, NonNullable<SaveSpec["ifStoredExists"]>>([
  [IfStoredExists.IF_STORED_EXISTS_UNSPECIFIED, "SKIP"],
  [IfStoredExists.IF_STORED_EXISTS_SKIP, "SKIP"],
  [IfStoredExists.IF_STORED_EXISTS_REFRESH, "REFRESH"],
  [IfStoredExists.IF_STORED_EXISTS_REPLACE, "REPLACE"],
]);

/** The operation id that a request must name. Throws INVALID_REQUEST. */
export function requireOperationId(operationId: string): string {
  if (operationId !== "") return operationId;
  throw invalidField("operation_id", "is required");
}

/** The load that is asked for; a policy that the contract does not know becomes undefined. */
export function toLoadSpec(request: LoadRequest): LoadSpec {
  return {
    namespace: request.namespace,
    environment: request.environment,
    localDir: request.localDir,
    localDirIdentity: request.localDirIdentity,
    ifLocalExists: localPolicies.get(request.ifLocalExists),
  };
}

/** The save that is asked for; a policy that the contract does not know becomes undefined. */
export function toSaveSpec(request: SaveRequest): SaveSpec {
  return {
    namespace: request.namespace,
    environment: request.environment,
    localDir: request.localDir,
    localDirIdentity: request.localDirIdentity,
    ifStoredExists: storedPolicies.get(request.ifStoredExists),
    profile: request.profile,
  };
}
