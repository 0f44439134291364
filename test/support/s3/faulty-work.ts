import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { openArchive } from "../../../server/src/archive/format/open-archive.ts";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import {
  describeAll,
  describeStored,
  listCacheArchives,
} from "../../../server/src/flows/stored-archives.ts";
import { openStore } from "../../../server/src/store/open-store.ts";
import { ends, eventually } from "../eventually.ts";
import { cacheKey, createFlowBench, namespace } from "../flow-bench.ts";
import { type LogLine, recordingLogger } from "../recording-logger.ts";
import { formatWork } from "../tar/format-work.ts";
import { answerFaults } from "./answer-faults.ts";
import { type AnswerFault, startFaultyS3 } from "./faulty-s3.ts";

/** A server to put faults before. */
export interface Backend {
  readonly port: number;
  readonly bucket: string;
  readonly server: {
    readonly endpoint: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
}

/** What is done to the store while an answer is wrong. */
export const deeds = ["load", "list", "info", "remove", "save", "replace", "refresh"] as const;
export type Deed = (typeof deeds)[number];

/** One try: which answers of a deed are wrong, and how. */
export interface Combination {
  readonly deed: Deed;
  readonly operation: string;
  /** The number of the call among those of its operation, from 1; or all of them. */
  readonly call: number | "every";
  readonly fault: AnswerFault;
}

/** Every fault of every call, one at a time, and of all calls of an operation. */
export function combinationsOf(deed: Deed, calls: Map<string, number>): Combination[] {
  return [...calls].flatMap(([operation, count]) => {
    const numbers = Array.from({ length: count }, (_, n) => n + 1);
    return [...numbers, "every" as const].flatMap((call) =>
      answerFaults.map((fault) => ({ deed, operation, call, fault })),
    );
  });
}

/** A cache in a store behind a proxy, and what is done with it. */
export interface FaultyWork {
  /** The calls that a deed makes where nothing is wrong, by operation. */
  callsOf(deed: Deed): Promise<Map<string, number>>;
  /**
   * Tries one combination, and requires afterwards that nothing healthy was touched and that every word
   * was true. False if the fault fits no such answer, so that nothing was tried.
   */
  try(combination: Combination): Promise<boolean>;
}

interface Lifetime {
  after(tidy: () => void | Promise<void>): void;
}

/** A document that says that there is no such key is a server's own word, and believed. */
const saysAbsent = ({ name }: AnswerFault) => /answered 404$/.test(name);

/** Where every read gives other bytes than the archive's digests allow, they convict it. */
const isConvicted = ({ operation, call, fault }: Combination) =>
  operation === "GetObject" && call === "every" && fault.name === "other bytes";

const reasons = ["STORE_UNAVAILABLE", "ARCHIVE_CORRUPT"];

/** Makes work on a cache with `bytes` bytes of content that does not compress. */
export async function createFaultyWork(
  t: Lifetime,
  { port, bucket, server }: Backend,
  prefix: string,
  bytes: number,
): Promise<FaultyWork> {
  const faulty = await startFaultyS3(t, port);
  const lines: LogLine[] = [];
  const location = { kind: "s3", bucket, prefix } as const;
  const through = await openStore(
    { ...location, server: { ...server, endpoint: faulty.endpoint } },
    recordingLogger(lines),
  );
  await eventually("the probe of conditions", () => lines.length > 0);
  const direct = await openStore({ ...location, server }, recordingLogger([]));
  const bench = await createFlowBench(t, { store: through });
  const whole = await createFlowBench(t, { store: direct, dir: bench.dir });
  const client = new S3Client({ ...server, region: "us-east-1", forcePathStyle: true });
  t.after(() => client.destroy());

  const [source, added, loaded] = ["source", "added", "loaded"].map((name) =>
    join(bench.dir, name),
  ) as [string, string, string];
  writeFiles(source, "old", bytes);
  writeFiles(added, "new", 20_000);
  const id = { namespace, cacheKey };
  const filename = `cache_${cacheKey}.latest.tar.zst`;
  const key = `${prefix}/${namespace}/${filename}`;
  const neighbour = `${prefix}/${namespace}/cache_ffffffffffff.latest.tar.zst`;

  const put = async (Key: string, healthy: Healthy) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, ...healthy }));
  };
  const present = async () => {
    const { Contents = [] } = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/` }),
    );
    return new Map(Contents.map(({ Key = "", ETag, Size }) => [Key, `${ETag} ${Size}`]));
  };
  const filesStored = async () => {
    await using reader = await direct.open({ namespace, filename });
    return reader && (await openArchive(reader, formatWork))?.fileCount;
  };

  assert.equal((await whole.save({ from: source })).status, "SUCCESS");
  const first = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const healthy: Healthy = {
    Body: Buffer.from((await first.Body?.transformToByteArray()) ?? []),
    Metadata: first.Metadata ?? {},
  };
  await put(neighbour, healthy);
  const fileCount = (await filesStored()) ?? 0;

  const signal = () => new AbortController().signal;
  const reading = { ...bench.context, store: through, work: formatWork };
  const does: Record<Deed, () => Promise<unknown>> = {
    async load() {
      rmSync(loaded, { recursive: true, force: true });
      return (await bench.load({ into: loaded })).status;
    },
    list: async () =>
      (await describeAll(reading, await listCacheArchives(through, undefined, signal()), signal()))
        .length,
    info: async () => (await describeStored(reading, id, signal())) !== undefined,
    remove: () => through.remove({ namespace, filename }),
    save: async () => (await bench.save({ from: source })).status,
    replace: async () => (await bench.save({ from: source, policy: "REPLACE" })).status,
    refresh: async () => (await bench.save({ from: added, policy: "REFRESH" })).status,
  };
  const reads = (deed: Deed) => deed === "load" || deed === "list" || deed === "info";
  const prepare = async (deed: Deed) => {
    if (deed === "save") await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    else await put(key, healthy);
  };

  /** Requires that a result is true of what is in the store. */
  const judge = async (combination: Combination, result: unknown, before: Map<string, string>) => {
    const { deed, fault } = combination;
    const after = await present();
    const target = after.get(key);
    const others = [...after.keys()].filter((each) => each !== key && each !== neighbour);
    for (const Key of others) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    if (isConvicted(combination)) return;
    const strange = others.filter((each) => !each.endsWith(".used"));
    assert.deepEqual(strange, [], "something else lies in the store");
    assert.equal(after.get(neighbour), before.get(neighbour), "the neighbour was touched");
    const isReading = reads(deed);
    if (isReading) assert.equal(target, before.get(key), "the archive was touched");
    if (result instanceof Error) {
      assert.ok(result instanceof CacheError, `${result.stack}`);
      assert.ok(reasons.includes(result.reason), `${result.reason}: ${result.message}`);
      assert.match(result.message, /^(\S+: )?the \w+ .{20,}$/);
      assert.doesNotMatch(result.message, /undefined|\[object/);
    } else if (isReading) {
      const truth = { load: "SUCCESS", list: 2, info: true }[deed as "load" | "list" | "info"];
      if (!saysAbsent(fault)) assert.equal(result, truth);
      if (result === "SUCCESS") assert.deepEqual(contentOf(loaded), contentOf(source));
    } else if (deed === "remove") {
      assert.equal(result, true);
      assert.equal(target, undefined, "it is still there");
    } else {
      if (result === "SUCCESS" && deed !== "save")
        assert.notEqual(target, before.get(key), "success, and nothing was stored");
      assert.ok(target, `${result}, and nothing is stored`);
      if (result !== "SUCCESS") assert.equal(result, "SKIPPED");
    }
    if (deed === "remove" || (deed === "save" && target === undefined)) return;
    const stored = await filesStored();
    if (target === before.get(key)) return;
    const wanted = deed === "refresh" ? fileCount + contentOf(added).size : fileCount;
    assert.equal(stored, wanted, "files are lost");
  };

  return {
    async callsOf(deed) {
      await prepare(deed);
      const start = faulty.calls.length;
      await does[deed]();
      const counts = new Map<string, number>();
      for (const { operation } of faulty.calls.slice(start))
        counts.set(operation, (counts.get(operation) ?? 0) + 1);
      return counts;
    },
    async try(combination) {
      const { deed, operation, call, fault } = combination;
      await prepare(deed);
      const before = await present();
      let [seen, tried] = [0, 0];
      faulty.script = (passing) => {
        if (passing.operation !== operation) return undefined;
        seen += 1;
        if (call !== "every" && call !== seen) return undefined;
        return {
          ...fault,
          wrong(right, asked) {
            const answer = fault.wrong(right, asked);
            if (answer !== right) tried += 1;
            return answer;
          },
        };
      };
      const what = `${deed}: ${call} ${operation}: ${fault.name}`;
      const result = await ends(
        what,
        does[deed]().catch((error: unknown) => error),
      );
      faulty.script = () => undefined;
      try {
        await judge(combination, result, before);
      } catch (error) {
        throw new Error(`${what} -> ${result}: ${(error as Error).message}`, { cause: error });
      }
      return tried > 0;
    },
  };
}

interface Healthy {
  readonly Body: Buffer;
  readonly Metadata: Record<string, string>;
}

/** Files of one generation, old enough to be saved at once. */
function writeFiles(dir: string, generation: string, bytes: number): void {
  const old = new Date(Date.now() - 60_000);
  mkdirSync(dir);
  for (let n = 0; n < 3; n++) {
    const path = join(dir, `${generation}-${n}.cubin`);
    writeFileSync(path, randomBytes(Math.ceil(bytes / 3)));
    utimesSync(path, old, old);
  }
}

function contentOf(dir: string): Map<string, string> {
  const digest = (name: string) => hash("sha256", readFileSync(join(dir, name)));
  return new Map(readdirSync(dir).map((name) => [name, digest(name)]));
}
