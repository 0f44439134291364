import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

// An object server in memory whose answers a test can script, because real servers give some answers
// too seldom to wait for. It knows only the calls that the S3 store makes, and checks no signature.

export interface Call {
  /** As S3 names it: PutObject, UploadPart, CompleteMultipartUpload, ... */
  readonly operation: string;
  readonly key: string;
  readonly headers: IncomingMessage["headers"];
}

/** What happens instead of an answer. After the last four the call has had its effect. */
export type Fault =
  | {
      readonly error: readonly [status: number, code: string];
      /** More of the error document. */
      readonly fields?: Readonly<Record<string, string>>;
    }
  /** It is answered as if it had been done. */
  | { readonly pretends: true }
  /** The connection breaks, before or after the call took effect. */
  | { readonly lost: "call" | "answer" }
  /** The body stops after that many bytes; the connection breaks, or stays open and silent. */
  | { readonly bodyBytes: number; readonly end: "reset" | "silence" }
  | { readonly delayMs: number }
  | { readonly heldUntil: Promise<void> };

export interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly metadata: Record<string, string>;
  readonly modifiedAt: Date;
}

interface Upload {
  readonly key: string;
  readonly initiated: Date;
  readonly metadata: Record<string, string>;
  /** By number. */
  readonly parts: Map<number, Buffer>;
}

export interface ScriptedS3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
  /** Every call so far. */
  readonly calls: Call[];
  /** The path of every call so far, with its query. */
  readonly paths: string[];
  /** Decides what becomes of each call; undefined lets it pass. */
  script: (call: Call) => Fault | undefined;
  /** How conditions are taken. */
  conditions: "kept" | "ignored" | "not understood";
  /** How the last bytes of an object without bytes are answered: as by S3, by others, or by MinIO. */
  rangeOfNothing: 416 | 200 | 206;
  put(key: string, body: Buffer): StoredObject;
}

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: Readonly<Record<string, string>>;

  constructor(status: number, code: string, fields: Readonly<Record<string, string>> = {}) {
    super(code);
    this.status = status;
    this.code = code;
    this.fields = fields;
  }
}

export async function startScriptedS3(t: TestContext): Promise<ScriptedS3> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const objects = new Map<string, StoredObject>();
  const store: ScriptedS3 = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket: "scripted",
    objects,
    uploads: new Map(),
    calls: [],
    paths: [],
    script: () => undefined,
    conditions: "kept",
    rangeOfNothing: 416,
    put(key, body) {
      const object = { body, etag: etagOf(body), metadata: {}, modifiedAt: new Date() };
      objects.set(key, object);
      return object;
    },
  };
  server.on("request", (request, response) => {
    answer(store, request, response).catch((error: unknown) => {
      if (error instanceof Refused) refuse(response, error);
      else response.destroy(error as Error);
    });
  });
  return store;
}

async function answer(store: ScriptedS3, request: IncomingMessage, response: ServerResponse) {
  const url = new URL(request.url ?? "", store.endpoint);
  const [, bucket = "", ...rest] = decodeURIComponent(url.pathname).split("/");
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const { headers } = request;
  const operation = operationOf(request.method ?? "", url.searchParams, headers);
  const call = { operation, key: rest.join("/"), headers };
  store.calls.push(call);
  store.paths.push(request.url ?? "");
  const fault = store.script(call) ?? ({ delayMs: 0 } as const);
  if ("error" in fault) throw new Refused(...fault.error, fault.fields);
  if ("lost" in fault && fault.lost === "call") return request.socket.destroy();
  if ("pretends" in fault) {
    response.writeHead(200, { etag: "none" }).end("<R><ETag>none</ETag></R>");
    return;
  }
  if (bucket !== store.bucket) throw new Refused(404, "NoSuchBucket");
  const handle = handlers[operation];
  if (!handle) throw new Refused(501, "NotImplemented");
  const result = handle(store, call, url.searchParams, body);
  if ("lost" in fault) return request.socket.destroy();
  if ("delayMs" in fault) await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
  const content = result.body ?? Buffer.alloc(0);
  if ("heldUntil" in fault) await fault.heldUntil;
  response.writeHead(result.status ?? 200, {
    "content-length": content.length,
    ...result.headers,
  });
  if (!("bodyBytes" in fault)) return response.end(operation === "HeadObject" ? "" : content);
  response.write(content.subarray(0, fault.bodyBytes), () => {
    if (fault.end === "reset") response.destroy();
  });
}

function refuse(response: ServerResponse, { status, code, fields }: Refused): void {
  const more = Object.entries(fields).map(([name, text]) => `<${name}>${text}</${name}>`);
  const body = `<Error><Code>${code}</Code><Message>${code}</Message>${more.join("")}</Error>`;
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(response.req.method === "HEAD" ? "" : body);
}

/** Which call of S3 a request is. */
export function operationOf(
  method: string,
  query: URLSearchParams,
  headers: Call["headers"],
): string {
  if (method === "GET" && query.has("list-type")) return "ListObjectsV2";
  if (method === "GET" && query.has("uploads")) return "ListMultipartUploads";
  if (method === "GET" && query.has("uploadId")) return "ListParts";
  if (method === "POST" && query.has("uploads")) return "CreateMultipartUpload";
  if (method === "POST" && query.has("uploadId")) return "CompleteMultipartUpload";
  if (method === "PUT" && query.has("uploadId")) return "UploadPart";
  if (method === "PUT" && headers["x-amz-copy-source"]) return "CopyObject";
  if (method === "DELETE" && query.has("uploadId")) return "AbortMultipartUpload";
  const rest: Record<string, string> = {
    GET: "GetObject",
    HEAD: "HeadObject",
    PUT: "PutObject",
    DELETE: "DeleteObject",
  };
  return rest[method] ?? method;
}

interface Result {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
}

type Handler = (store: ScriptedS3, call: Call, query: URLSearchParams, body: Buffer) => Result;

const handlers: Record<string, Handler> = {
  PutObject(store, { key, headers }, _query, body) {
    requireConditions(store, key, headers);
    const metadata = metadataOf(headers);
    const object = { body, etag: etagOf(body), metadata, modifiedAt: new Date() };
    store.objects.set(key, object);
    return { headers: { etag: object.etag } };
  },
  HeadObject(store, { key }) {
    const object = find(store, key);
    return { headers: { ...headersOf(object), "content-length": `${object.body.length}` } };
  },
  GetObject(store, { key, headers }) {
    const object = find(store, key);
    if (headers["if-match"] && headers["if-match"] !== object.etag)
      throw new Refused(412, "PreconditionFailed");
    const size = object.body.length;
    const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? "") ?? [];
    if (first === "" && last === "") return { headers: headersOf(object), body: object.body };
    const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
    if (size === 0 && store.rangeOfNothing !== 416) {
      const range = store.rangeOfNothing === 206 ? { "content-range": "bytes 0--1/0" } : {};
      return { status: store.rangeOfNothing, headers: { ...headersOf(object), ...range } };
    }
    if (start >= size) throw new Refused(416, "InvalidRange");
    return {
      status: 206,
      headers: { ...headersOf(object), "content-range": `bytes ${start}-${end - 1}/${size}` },
      body: object.body.subarray(start, end),
    };
  },
  DeleteObject(store, { key, headers }) {
    if (store.objects.has(key)) requireConditions(store, key, headers);
    store.objects.delete(key);
    return { status: 204 };
  },
  CopyObject(store, { key, headers }) {
    const source = decodeURIComponent(String(headers["x-amz-copy-source"]));
    const object = find(store, source.slice(source.indexOf("/") + 1));
    const match = headers["x-amz-copy-source-if-match"];
    if (match !== undefined && match !== object.etag) throw new Refused(412, "PreconditionFailed");
    store.objects.set(key, { ...object, modifiedAt: new Date() });
    return xml(`<CopyObjectResult><ETag>${object.etag}</ETag></CopyObjectResult>`);
  },
  CreateMultipartUpload(store, { key, headers }) {
    const id = randomBytes(8).toString("hex");
    store.uploads.set(id, {
      key,
      initiated: new Date(),
      metadata: metadataOf(headers),
      parts: new Map(),
    });
    return xml(`<R><UploadId>${id}</UploadId></R>`);
  },
  UploadPart(store, _call, query, body) {
    findUpload(store, query).parts.set(Number(query.get("partNumber")), body);
    return { headers: { etag: etagOf(body) } };
  },
  CompleteMultipartUpload(store, { key, headers }, query) {
    const { parts, metadata } = findUpload(store, query);
    requireConditions(store, key, headers);
    const body = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part));
    const object = { body, etag: etagOf(body), metadata, modifiedAt: new Date() };
    store.objects.set(key, object);
    store.uploads.delete(query.get("uploadId") ?? "");
    return xml(`<R><ETag>${object.etag}</ETag></R>`);
  },
  AbortMultipartUpload(store, _call, query) {
    findUpload(store, query);
    store.uploads.delete(query.get("uploadId") ?? "");
    return { status: 204 };
  },
  ListParts(store, { key }, query) {
    const { parts } = findUpload(store, query);
    const items = [...parts].map(
      ([number, { length }]) =>
        `<Part><PartNumber>${number}</PartNumber><Size>${length}</Size></Part>`,
    );
    const id = query.get("uploadId");
    return xml(`<R><Key>${key}</Key><UploadId>${id}</UploadId>${items.join("")}</R>`);
  },
  ListMultipartUploads(store, _call, query) {
    const prefix = query.get("prefix") ?? "";
    const uploads = [...store.uploads].filter(([, { key }]) => key.startsWith(prefix));
    const items = uploads.map(
      ([id, { key, initiated }]) =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId>` +
        `<Initiated>${initiated.toISOString()}</Initiated></Upload>`,
    );
    return xml(`<R><Bucket>${store.bucket}</Bucket>${items.join("")}</R>`);
  },
  ListObjectsV2(store, _call, query) {
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? "";
    const keys = [...store.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    const rest = keys.filter((key) => key > after);
    const page = rest.slice(0, 1000);
    const next = rest.length > page.length ? page.at(-1) : undefined;
    const items = page
      .map((key) => {
        const { body, etag, modifiedAt } = find(store, key);
        return (
          `<Contents><Key>${key}</Key><Size>${body.length}</Size><ETag>${etag}</ETag>` +
          `<LastModified>${modifiedAt.toISOString()}</LastModified></Contents>`
        );
      })
      .join("");
    const token = next ? `<NextContinuationToken>${next}</NextContinuationToken>` : "";
    const head = `<Name>${store.bucket}</Name><IsTruncated>${next !== undefined}</IsTruncated>`;
    return xml(`<R>${head}${token}${items}</R>`);
  },
};

function requireConditions(store: ScriptedS3, key: string, headers: Call["headers"]): void {
  const noneMatch = headers["if-none-match"];
  const match = headers["if-match"];
  if (store.conditions === "ignored" || (!noneMatch && !match)) return;
  if (store.conditions === "not understood") throw new Refused(501, "NotImplemented");
  const object = store.objects.get(key);
  if (match && !object) throw new Refused(404, "NoSuchKey");
  if ((noneMatch && object) || (match && match !== object?.etag))
    throw new Refused(412, "PreconditionFailed");
}

function find(store: ScriptedS3, key: string): StoredObject {
  const object = store.objects.get(key);
  if (!object) throw new Refused(404, "NoSuchKey");
  return object;
}

function findUpload(store: ScriptedS3, query: URLSearchParams): Upload {
  const upload = store.uploads.get(query.get("uploadId") ?? "");
  if (!upload) throw new Refused(404, "NoSuchUpload");
  return upload;
}

function headersOf({ etag, metadata, modifiedAt }: StoredObject): Record<string, string> {
  return { etag, "last-modified": modifiedAt.toUTCString(), ...metadata };
}

function metadataOf(headers: Call["headers"]): Record<string, string> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(own) as Record<string, string>;
}

function etagOf(body: Buffer): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

function xml(text: string): Result {
  return { headers: { "content-type": "application/xml" }, body: Buffer.from(text) };
}
