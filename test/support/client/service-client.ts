import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  CacheServiceClient,
  CacheServiceService,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { BadRequest, ErrorInfo } from "compilecache-client/gen/google/rpc/error_details.ts";
import { Status } from "compilecache-client/gen/google/rpc/status.ts";
import { wholly } from "../wholly.ts";

/** A directory that lives as long as the test. */
export async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "cc-service-"));
  t.after(() => rm(dir, wholly));
  return dir;
}

type Methods = typeof CacheServiceService;
type UnaryName = Exclude<keyof Methods, "watchTransfer">;
type RequestOf<N extends UnaryName> = ReturnType<Methods[N]["requestDeserialize"]>;
type ResponseOf<N extends UnaryName> = ReturnType<Methods[N]["responseDeserialize"]>;

/** The generated client, closed with the test. */
export function connect(t: TestContext, address: string): CacheServiceClient {
  const client = new CacheServiceClient(address, credentials.createInsecure());
  t.after(() => client.close());
  return client;
}

/** One unary call, by the raw generated client; what the request leaves out is its default. */
export function call<N extends UnaryName>(
  client: CacheServiceClient,
  name: N,
  request: Partial<RequestOf<N>> = {},
  options: {
    metadata?: Record<string, string>;
    /** A deadline that only the server goes by, so that it is the server that ends the call. */
    deadlineMs?: number;
    signal?: AbortSignal;
    /** Told the transfer that the initial metadata names. */
    onStarted?: (operationId: string) => void;
  } = {},
): Promise<ResponseOf<N>> {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  if (options.deadlineMs) metadata.set("grpc-timeout", `${options.deadlineMs}m`);
  const method = CacheServiceService[name];
  const empty = method.requestDeserialize(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const running = client.makeUnaryRequest<RequestOf<N>, ResponseOf<N>>(
      method.path,
      method.requestSerialize as (value: RequestOf<N>) => Buffer,
      method.responseDeserialize as (value: Buffer) => ResponseOf<N>,
      { ...empty, ...request } as RequestOf<N>,
      metadata,
      (error, response) => (error ? reject(error) : resolve(response as ResponseOf<N>)),
    );
    options.signal?.addEventListener("abort", () => running.cancel());
    running.on("metadata", (initial: Metadata) => {
      const [operationId] = initial.get("compilecache-operation-id");
      if (operationId) options.onStarted?.(operationId.toString());
    });
  });
}

/** What a client can read out of a failed call. */
function readError(error: ServiceError) {
  const [encoded] = error.metadata.get("grpc-status-details-bin");
  const status = encoded === undefined ? undefined : Status.decode(encoded as Buffer);
  const detail = (name: string) =>
    status?.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${name}`);
  const info = detail("ErrorInfo");
  const badRequest = detail("BadRequest");
  return {
    code: error.code as number,
    message: error.details,
    status,
    info: info && ErrorInfo.decode(info.value),
    violations: badRequest ? BadRequest.decode(badRequest.value).fieldViolations : [],
  };
}

/** The error that a call must fail with. */
export async function failureOf(running: Promise<unknown>): Promise<ReturnType<typeof readError>> {
  const error = await running.then(
    () => {
      throw new Error("the call succeeded");
    },
    (failure: ServiceError) => failure,
  );
  if (typeof error.code !== "number") throw error;
  return readError(error);
}
