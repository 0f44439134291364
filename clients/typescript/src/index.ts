export type { Cache, ClosestCache } from "./cache.ts";
export type { CacheClient } from "./cache-client.ts";
export {
  CacheServiceError,
  type ErrorCode,
  type ErrorReason,
  type FieldViolation,
} from "./cache-service-error.ts";
export { createCacheClient } from "./create-cache-client.ts";
export type { Environment } from "./environment.ts";
export { environmentFromJson } from "./environment-from-json.ts";
export {
  type CacheInfo,
  type CacheInfoInput,
  type CachePage,
  type ClearedLocalCache,
  type ClearLocalCacheInput,
  type DeleteCacheInput,
  type IfLocalExists,
  type IfStoredExists,
  ifLocalExistsPolicies,
  ifStoredExistsPolicies,
  type ListCachesInput,
  type ListTransfersInput,
  type LoadInput,
  type LoadResult,
  type PageInput,
  type SaveInput,
  type SaveResult,
  type StartTransferInput,
  type TransferPage,
} from "./requests.ts";
export type {
  CacheClientOptions,
  CallOptions,
  TransferCallOptions,
} from "./settings/client-options.ts";
export { defaultAddress } from "./settings/default-address.ts";
export { resolveLocalDirectory, torchCacheDirectory } from "./settings/local-directory.ts";
export type { TlsOptions } from "./settings/tls.ts";
export type {
  LeftOutFiles,
  LeftOutReason,
  LoadOutcome,
  LoadStatus,
  SaveOutcome,
  SaveSkipReason,
  SaveStatus,
  Transfer,
  TransferKind,
  TransferPhase,
  TransferStatus,
} from "./transfer.ts";
