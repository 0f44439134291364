// What each command prints with --json. `node test/suites/cli/json-schemas.ts` writes the documentation.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const bytes = z.int().min(0).describe("in bytes");
const count = z.int().min(0);
const time = z.iso.datetime().describe("ISO 8601, in UTC");
const cacheKey = z.string().regex(/^[0-9a-f]{12}$/);

const environment = z.strictObject({
  torch_version: z.string(),
  cuda_version: z.string().optional(),
  compute_capability: z.string().optional(),
  triton_version: z.string().optional(),
  extra: z.record(z.string(), z.string()).optional(),
});

const cache = z.strictObject({
  namespace: z.string(),
  cache_key: cacheKey,
  environment: environment.optional().describe("absent where another tool made the archive"),
  filename: z.string(),
  archive_bytes: bytes,
  content_bytes: bytes,
  file_count: count,
  created_at: time.optional(),
  is_current_environment: z.boolean(),
  generation: count,
  signed_by: z.string().optional(),
  saver: z.string().optional(),
  revision: z.string().optional(),
});

const error = z.strictObject({
  code: z.string().describe("the gRPC code"),
  reason: z.string().optional().describe("a stable name; docs/errors.md"),
  message: z.string(),
  violations: z.array(
    z.strictObject({
      field: z.string().describe("the flag, the argument or the variable that is wrong"),
      description: z.string(),
    }),
  ),
});

const orNull = <T extends z.ZodType>(schema: T) =>
  schema.nullable().describe("null where it is not known");

const daemon = z.strictObject({
  address: z.string(),
  addresses: z.array(z.string()),
  taken: z.boolean().describe("whether the other commands talk to this one"),
  state: z.enum(["serving", "silent"]),
  transfers: orNull(count),
  problem: z.string().nullable().describe("why nothing more is known"),
  pid: orNull(count),
  version: orNull(z.string()),
  store: orNull(z.string()),
  log: z.string().nullable().describe("a path; null where it is no file"),
  started_at: orNull(time),
  started_by: orNull(z.string()),
});

const stopped = z.strictObject({
  address: z.string(),
  pid: orNull(count),
  stopped: z.boolean(),
  problem: z.string().nullable().describe("why it was not stopped"),
});

const closest = z.strictObject({ cache, differing: z.array(z.string()) });
const leftOut = z.strictObject({
  reason: z.string(),
  file_count: count,
  examples: z.array(z.string()),
});

const loadOutcome = z.strictObject({
  kind: z.literal("load"),
  status: z.string(),
  closest: closest.optional(),
  cache: cache.optional(),
  note: z.string().optional().describe("with does_not_exist, what else was found"),
  other_namespaces: z.array(z.string()),
});
const saveOutcome = z.strictObject({
  kind: z.literal("save"),
  status: z.string(),
  skip_reason: z.string().optional(),
  cache: cache.optional(),
  left_out_file_count: count,
  left_out: z.array(leftOut),
});

const transfer = z.strictObject({
  operation_id: z.string(),
  operation_name: z.string(),
  kind: z.enum(["load", "save", "copy"]),
  status: z.enum(["not_started", "in_progress", "success", "error", "interrupted", "cancelled"]),
  phase: z.string().describe("for people"),
  namespace: z.string(),
  cache_key: z.string(),
  started_at: time,
  completed_at: time.optional(),
  bytes_done: bytes,
  bytes_total: bytes,
  files_done: count,
  files_total: count,
  error: error.optional(),
  outcome: z.discriminatedUnion("kind", [loadOutcome, saveOutcome]).optional(),
});

const archive = { namespace: z.string(), filename: z.string() };

/** By command; of those with `line` in the description, one for each line of output. */
export const jsonSchemas = {
  env: z.strictObject({
    environment_key: z.string(),
    cache_key: cacheKey,
    environment,
    components: z.array(
      z.strictObject({ name: z.string(), value: z.string(), source: z.string() }),
    ),
    python: z.string(),
  }),
  load: z.strictObject({ status: z.string(), transfer, closest: closest.optional() }),
  save: z.strictObject({
    status: z.string(),
    skip_reason: z.string().optional(),
    transfer,
    cache: cache.optional(),
    left_out_file_count: count,
    left_out: z.array(leftOut),
  }),
  info: z.strictObject({
    environment_key: z.string(),
    cache_key: cacheKey,
    local_exists: z.boolean(),
    local_bytes: bytes,
    local_file_count: count,
    stored: cache.optional(),
    store: z.string(),
    store_note: z.string(),
  }),
  ls: z.strictObject({ caches: z.array(cache) }),
  rm: z.strictObject({ namespace: z.string(), cache_key: cacheKey }),
  clear: z.strictObject({ bytes, file_count: count }),
  ps: z.strictObject({ transfers: z.array(transfer) }),
  cancel: z.strictObject({ transfers: z.array(transfer) }),
  watch: transfer.describe("a line for each state"),
  status: z.strictObject({ daemons: z.array(daemon) }),
  stop: z.strictObject({ daemons: z.array(stopped) }),
  keygen: z.strictObject({
    id: z.string().regex(/^[0-9a-f]{16}$/),
    signing_key: z.string().describe("the path of the private key"),
    trusted_key: z.string().describe("the path of the public key"),
  }),
  gc: z
    .strictObject({
      namespace: z.string(),
      path: z.string(),
      bytes,
      reason: z.enum(["age", "idle", "bytes", "files", "quota", "damaged", "unfinished"]),
      result: z.enum(["planned", "removed", "changed", "failed"]),
      modified_at: time,
      used_at: time.optional(),
      message: z.string().optional(),
    })
    .describe("a line for each file"),
  verify: z
    .strictObject({
      ...archive,
      bytes,
      sound: z.boolean(),
      signed_by: z.string().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
    })
    .describe("a line for each archive"),
  sign: z
    .strictObject({
      ...archive,
      result: z.string(),
      reason: z.string().optional(),
      message: z.string().optional(),
    })
    .describe("a line for each archive"),
  error: z
    .strictObject({ error })
    .describe(
      "in place of the answer of a command that fails; after the lines that it has printed. The exit " +
        "code is 2 for INVALID_ARGUMENT, 3 for NOT_FOUND, 4 where no daemon answers, 130 where it was " +
        "interrupted, else 1",
    ),
};

/** The schemas as one JSON Schema, with a definition for each command. */
export function documentedSchemas(): string {
  const definitions = Object.entries(jsonSchemas).map(([name, schema]) => {
    const { $schema: _, ...definition } = z.toJSONSchema(schema);
    return [name, definition];
  });
  const document = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "What compilecache prints with --json, by command",
    $defs: Object.fromEntries(definitions),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

export const documentPath = fileURLToPath(
  new URL("../../../docs/cli-json.schema.json", import.meta.url),
);

if (import.meta.main) writeFileSync(documentPath, documentedSchemas());
