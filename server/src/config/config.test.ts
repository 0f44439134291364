import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import os, { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { builtInProfiles } from "../domain/profile.ts";
import { createAllowedDirs } from "../local/allowed-dirs.ts";
import { ConfigError, readConfig } from "./config.ts";
import { defaultMaxConnections } from "./defaults/default-max-connections.ts";
import { type Config, settings } from "./settings.ts";

/** What environments hold where a setting was not meant, or was mistyped. */
const oddTexts = [
  "",
  " ",
  "\n",
  "\t\r\n",
  "=",
  ",",
  ",,=,=",
  "a=b",
  "/a=",
  "=/a",
  "/a=b=c",
  "\\",
  "/\\",
  "'",
  '"',
  '"/tmp/x"',
  "'8'",
  "x".repeat(100_000),
  `/${"x/".repeat(60_000)}`,
  `/${"x".repeat(300)}`,
  "ünïcödé",
  "/tmp/\u{1f600}",
  "\ud800",
  "\ufeff8",
  "\u202e",
  "\u0000",
  "/a\u0000b",
  "\u001b[2J",
  "/\u009b2J",
  "-1",
  "0",
  "00",
  "1e3",
  "0x10",
  "NaN",
  "Infinity",
  "1.5",
  "1,5",
  "1_000",
  "8\n",
  " 8 ",
  "8 8",
  "+8",
  "9".repeat(15),
  "9".repeat(16),
  "9".repeat(400),
  "true",
  "null",
  "undefined",
  "[object Object]",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  ".",
  "..",
  "/",
  "//",
  "~",
  "~/x",
  "$HOME",
  "%",
  "%s%n",
  "/%zz",
  "file:",
  "file:///",
  "file:////",
  "file://x/y",
  "file:///%00",
  "file:///a%2Fb",
  "file:///a\nb",
  "s3:",
  "s3://",
  "s3://a",
  "s3://k:secret@bucket/p",
  "s3://bucket/..",
  "http://x",
  "unix:",
  "unix:/",
  "unix:x",
  "unix:///",
  "[::1]",
  "[::1]:99999",
  "[x]:1",
  "localhost:",
  ":80",
  "localhost:65536",
  "/dev/null",
  "/etc/passwd",
  "/proc/self/mem",
  "/etc",
  "/none/such/file",
  "INFO",
  "WARNING",
  "20",
  "json",
  "text",
  "{}",
  "[]",
  '{"a":1}',
  '{"__proto__":{}}',
];

function mistakesOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  throw new Error("no mistake was found");
}

function fileWith(t: TestContext, text: string): string {
  const dir = mkdtempSync("/tmp/cc-config-");
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "tokens"), text);
  return join(dir, "tokens");
}

describe("readConfig", () => {
  test("has the defaults of the design when nothing is given", () => {
    const config = readConfig({}, { USER: "ada" });
    assert.deepEqual(config, {
      torchCacheDir: "/tmp/torchinductor_ada",
      fileStoreDir: "/cache/model/compile_cache",
      gcEvery: 0,
      gcKeep: 3_600_000,
      gcMaxAge: undefined,
      gcMaxBytes: undefined,
      gcMaxFiles: undefined,
      gcMaxIdle: undefined,
      gcQuotas: undefined,
      signingKey: undefined,
      trustedKeys: undefined,
      saver: os.hostname(),
      revision: undefined,
      store: { kind: "file", path: "/cache/model/compile_cache" },
      b10Archives: undefined,
      s3Anonymous: false,
      s3Sse: undefined,
      s3SseKmsKeyId: undefined,
      workDir: undefined,
      plaintext: false,
      configFile: undefined,
      allowedDirs: [{ clientPath: "/tmp/torchinductor_ada", daemonPath: "/tmp/torchinductor_ada" }],
      listen: [],
      tokens: undefined,
      archiveFormat: "tar.zst",
      profiles: builtInProfiles,
      refreshMinPercent: 1,
      maxArchiveBytes: 1024 * 1024 * 1024,
      maxContentBytes: 32768 * 1024 * 1024,
      maxFileCount: 1_000_000,
      workers: availableParallelism(),
      workerIdleMs: 0,
      saveNice: 10,
      maxConnections: defaultMaxConnections(availableParallelism()),
      shutdownGraceMs: 10_000,
      idleExitMs: 0,
      logLevel: "info",
      logFormat: process.stdout.isTTY ? "human" : "json",
    });
    assert.ok(Object.isFrozen(config));
  });

  test("names the default directory as torch does when the user's name is no file name", () => {
    const config = readConfig({}, { LOGNAME: 'CORP\\a:d"a' });
    assert.equal(config.torchCacheDir, "/tmp/torchinductor_CORP_a_d_a");
  });

  test("numbers a user who has no name, as torch does", (t) => {
    const { mock } = t.mock.method(os, "userInfo", () => {
      throw new Error("ENOENT");
    });
    syncBuiltinESMExports();
    t.after(() => {
      mock.restore();
      syncBuiltinESMExports();
    });
    const config = readConfig({}, {});
    assert.equal(config.torchCacheDir, `/tmp/torchinductor_uid_${process.getuid?.()}`);
  });

  test("prefers flags to variables, and TORCH_CACHE_DIR to TORCHINDUCTOR_CACHE_DIR", () => {
    const environment = { TORCH_CACHE_DIR: "/b", TORCHINDUCTOR_CACHE_DIR: "/c" };
    assert.equal(readConfig({ torchCacheDir: "/a" }, environment).torchCacheDir, "/a");
    assert.equal(readConfig({}, environment).torchCacheDir, "/b");
    assert.equal(readConfig({}, { TORCHINDUCTOR_CACHE_DIR: "/c" }).torchCacheDir, "/c");
  });

  test("takes an empty variable for an unset one", () => {
    assert.equal(
      readConfig({}, { ARCHIVE_FORMAT: "", LOG_LEVEL: "warn" }).archiveFormat,
      "tar.zst",
    );
  });

  test("makes the store of B10FS_CACHE_DIR, whatever characters are in its path", () => {
    const config = readConfig({}, { B10FS_CACHE_DIR: "/mnt/a b%20#c?" });
    assert.deepEqual(config.store, { kind: "file", path: "/mnt/a b%20#c?" });
  });

  test("reads addresses and directories from comma-separated lists", () => {
    const config = readConfig(
      { listen: "unix:///run/a.sock, [::1]:0 ,localhost:8080" },
      { COMPILE_CACHE_ALLOWED_DIRS: "/a/,/in/container=/on/host/../node" },
    );
    assert.deepEqual(config.listen, [
      { kind: "unix", path: "/run/a.sock" },
      { kind: "tcp", host: "::1", port: 0 },
      { kind: "tcp", host: "localhost", port: 8080 },
    ]);
    assert.deepEqual(config.allowedDirs, [
      { clientPath: "/a", daemonPath: "/a" },
      { clientPath: "/in/container", daemonPath: "/on/node", mapped: true },
    ]);
  });

  test("tells every mistake in one line that names the variable or flag, and the value", () => {
    const mistakes = mistakesOf(() =>
      readConfig(
        {
          listen: "8080",
          archiveFormat: "zip",
          maxArchiveBytes: "1e3",
          maxFileCount: "0",
          saveNice: "20",
          shutdownGraceMs: "-1",
          logLevel: "loud",
        },
        {
          TORCH_CACHE_DIR: "relative",
          COMPILE_CACHE_STORE: "s3://Bucket/prefix",
          COMPILE_CACHE_ALLOWED_DIRS: "/a,b=/c",
        },
      ),
    );
    assert.deepEqual(mistakes, [
      'TORCH_CACHE_DIR: "relative" is not an absolute path',
      'COMPILE_CACHE_STORE: "s3://Bucket/prefix" names no bucket: 3 to 63 of a-z 0-9 . -, as in s3://bucket/prefix',
      'COMPILE_CACHE_ALLOWED_DIRS: "/a,b=/c" holds "b=/c", which is no absolute path; give path or client-path=daemon-path, or any alone',
      '--listen: "8080" holds "8080", which is no address; give unix:/path, host:port or [ipv6]:port',
      '--archive-format: "zip" is none of tar.zst, tar.gz',
      '--max-cache-size-mb: "1e3" is not a whole number from 1 to 1073741824',
      '--max-file-count: "0" is not a whole number from 1 to 100000000',
      '--save-nice: "20" is not a whole number from 0 to 19',
      '--shutdown-grace-seconds: "-1" is not a whole number from 0 to 3600',
      '--log-level: "loud" is none of error, warn, info, debug',
    ]);
  });

  test("passes over another program's value with a warning, and goes on with the default", () => {
    const warnings: string[] = [];
    const variables = {
      TORCHINDUCTOR_CACHE_DIR: "/",
      USER: "ada",
      LOCAL_WORK_DIR: ".",
      ARCHIVE_FORMAT: "zip",
      MAX_CACHE_SIZE_MB: "1e3",
      MAX_CONTENT_SIZE_MB: "10GB",
      MAX_FILE_COUNT: "0",
      SHUTDOWN_GRACE_SECONDS: "-1",
      LOG_LEVEL: "loud",
      LOG_FORMAT: "%(message)s",
    };
    const config = readConfig({}, variables, (warning) => warnings.push(warning));
    assert.deepEqual(config, readConfig({}, { USER: "ada" }));
    assert.deepEqual(warnings, [
      'TORCHINDUCTOR_CACHE_DIR: "/" is the root directory; name a directory in it; the default is used',
      'LOCAL_WORK_DIR: "." is not an absolute path; the default is used',
      'ARCHIVE_FORMAT: "zip" is none of tar.zst, tar.gz; the default is used',
      'MAX_CACHE_SIZE_MB: "1e3" is not a whole number from 1 to 1073741824; the default is used',
      'MAX_CONTENT_SIZE_MB: "10GB" is not a whole number from 1 to 1073741824; the default is used',
      'MAX_FILE_COUNT: "0" is not a whole number from 1 to 100000000; the default is used',
      'SHUTDOWN_GRACE_SECONDS: "-1" is not a whole number from 0 to 3600; the default is used',
      'LOG_LEVEL: "loud" is none of error, warn, info, debug; the default is used',
      'LOG_FORMAT: "%(message)s" is none of json, human; the default is used',
    ]);
  });

  test("takes a flag for ours, whoever else uses its variable", () => {
    const mistakes = mistakesOf(() => readConfig({ workDir: "." }, { LOCAL_WORK_DIR: "/app" }));
    assert.deepEqual(mistakes, ['--local-work-dir: "." is not an absolute path']);
  });

  test("understands the levels and formats of other programs", () => {
    const levels = {
      error: ["ERROR", "critical", "Fatal", "SEVERE", "off", "40", "50", "emerg", " ERR\n"],
      warn: ["WARNING", "Warn", "30"],
      info: ["INFO", "20", "notice", "info,hyper=warn", "hyper=warn,info", "log,warn,error"],
      debug: ["DEBUG", "TRACE", "NOTSET", "0", "10", "ALL", "verbose", "silly", "finest"],
    };
    const warn = (warning: string) => assert.fail(warning);
    for (const [level, words] of Object.entries(levels))
      for (const word of words)
        assert.equal(readConfig({}, { LOG_LEVEL: word }, warn).logLevel, level, word);
    const formats = { json: ["JSON", "ndjson"], human: ["text", "Plain", "console", "logfmt"] };
    for (const [format, words] of Object.entries(formats))
      for (const word of words)
        assert.equal(readConfig({}, { LOG_FORMAT: word }, warn).logFormat, format, word);
  });

  test("takes a path as it is, and only a list of directories for a list", () => {
    for (const path of ["/tmp/a=b/c", "/tmp/a,/tmp/b", "/tmp/a b ", "/tmp/a\\,b", "/tmp/ä\n"])
      for (const variable of ["TORCHINDUCTOR_CACHE_DIR", "TORCH_CACHE_DIR"]) {
        const { torchCacheDir, allowedDirs } = readConfig({}, { [variable]: path });
        assert.equal(torchCacheDir, path);
        assert.deepEqual(allowedDirs, [{ clientPath: path, daemonPath: path }]);
      }
    const list = "/a\\,b,/c\\=d=/e\\\\f,/g=/h=i";
    assert.deepEqual(readConfig({}, { COMPILE_CACHE_ALLOWED_DIRS: list }).allowedDirs, [
      { clientPath: "/a,b", daemonPath: "/a,b" },
      { clientPath: "/c=d", daemonPath: "/e\\f", mapped: true },
      { clientPath: "/g", daemonPath: "/h=i", mapped: true },
    ]);
  });

  test("either understands a text, whatever it is, or says in words what is wrong with it", () => {
    const names = Object.values(settings).map(({ variable }) => variable);
    for (const variable of [...names, "TORCHINDUCTOR_CACHE_DIR"])
      for (const text of oddTexts) {
        const told: string[] = [];
        let config: Config | undefined;
        try {
          config = readConfig({}, { [variable]: text }, (warning) => told.push(warning));
        } catch (error) {
          assert.ok(error instanceof ConfigError, `${variable}=${JSON.stringify(text)}: ${error}`);
          told.push(...error.mistakes);
        }
        for (const sentence of told) {
          assert.ok(sentence.startsWith(`${variable}: "`), sentence);
          assert.ok(sentence.length < 1000 && !/\p{Cc}/u.test(sentence), sentence);
        }
        if (!config) continue;
        const mayBeUnset = [
          ...["tokens", "configFile", "workDir", "b10Archives", "s3Sse", "s3SseKmsKeyId"],
          ...["signingKey", "trustedKeys", "revision"],
          ...["gcMaxAge", "gcMaxIdle", "gcMaxBytes", "gcMaxFiles", "gcQuotas"],
        ];
        for (const key of Object.keys(settings).filter((key) => !mayBeUnset.includes(key)))
          assert.notEqual(config[key as keyof Config], undefined, `${variable}=${text}: ${key}`);
        createAllowedDirs(config.allowedDirs);
      }
  });

  test("refuses the root directory, which an unset shell variable makes of $DIR/", () => {
    assert.deepEqual(
      mistakesOf(() => readConfig({}, { TORCH_CACHE_DIR: "/" })),
      ['TORCH_CACHE_DIR: "/" is the root directory; name a directory in it'],
    );
  });

  test("refuses a store and a local directory of which one holds the other", () => {
    for (const [store, local] of [
      ["/c/store", "/c"],
      ["/c", "/c/local"],
      ["/c", "/c"],
    ])
      assert.deepEqual(
        mistakesOf(() => readConfig({ store: `file://${store}` }, { TORCH_CACHE_DIR: local })),
        [
          `--store: "${store}" and the local directory "${local}" (TORCH_CACHE_DIR) may not hold each other`,
        ],
      );
    readConfig({ store: "file:///c/local2" }, { TORCH_CACHE_DIR: "/c/local" });
  });

  test("takes a bucket with or without a prefix", () => {
    const storeOf = (store: string) => readConfig({ store }, {}).store;
    assert.deepEqual(storeOf("s3://bucket"), { kind: "s3", bucket: "bucket", prefix: "" });
    assert.deepEqual(storeOf("s3://bucket/"), { kind: "s3", bucket: "bucket", prefix: "" });
    assert.deepEqual(storeOf("s3://my.bucket-1/a/.b_c/"), {
      kind: "s3",
      bucket: "my.bucket-1",
      prefix: "a/.b_c",
    });
  });

  test("judges the endpoint of a bucket's server, and repeats no secret in it", () => {
    const mistakesWith = (variables: NodeJS.ProcessEnv, store = "s3://caches/a") =>
      mistakesOf(() => readConfig({ store }, variables));
    for (const url of [
      "http://minio:9000",
      "https://s3.example.com/",
      "HTTP://[::1]:9000",
      "http://host/base/path/",
    ])
      assert.equal(
        readConfig({ store: "s3://caches" }, { AWS_ENDPOINT_URL: url }).s3Sse,
        undefined,
      );
    for (const [url, message] of [
      ["minio:9000", /"minio:9000" is no URL of a server; give http:/],
      ["s3://caches", /is no URL of a server/],
      ["http://minio:99999", /its host or its port is malformed/],
      ["http://minio:", undefined],
      ["https://", /malformed/],
      ["http://key:s3cret@minio", /^AWS_ENDPOINT_URL: "...@minio" holds credentials/],
      ["key:s3cret@minio", /^AWS_ENDPOINT_URL: "...@minio" is no URL/],
      ["http://minio/caches", /names the bucket caches/],
      ["http://minio/?a=b", /query/],
    ] as const) {
      if (!message) assert.ok(readConfig({ store: "s3://caches" }, { AWS_ENDPOINT_URL: url }));
      else assert.match(mistakesWith({ AWS_ENDPOINT_URL: url }).join(), message);
    }
    const both = { AWS_ENDPOINT_URL_S3: "http://minio:9000", AWS_ENDPOINT_URL: "nonsense" };
    assert.ok(readConfig({ store: "s3://caches" }, both));
    assert.ok(readConfig({}, { AWS_ENDPOINT_URL: "another program's" }));
  });

  test("takes how an object store encrypts, and a key where that needs one", () => {
    const sse = { COMPILE_CACHE_S3_SSE: "aws:kms", COMPILE_CACHE_S3_SSE_KMS_KEY_ID: "alias/a" };
    const config = readConfig({ store: "s3://caches" }, sse);
    assert.deepEqual([config.s3Sse, config.s3SseKmsKeyId], ["aws:kms", "alias/a"]);
    for (const s3Sse of ["", "AES256"])
      assert.deepEqual(
        mistakesOf(() => readConfig({ store: "s3://caches", s3Sse, s3SseKmsKeyId: "a" }, {})),
        [
          `--s3-sse-kms-key-id: "a" needs ${s3Sse ? "--s3-sse" : "COMPILE_CACHE_S3_SSE"}=aws:kms or aws:kms:dsse`,
        ],
      );
    assert.match(
      mistakesOf(() => readConfig({ s3SseKmsKeyId: "a b" }, {})).join(),
      /"a b" is no id, alias or ARN of a key/,
    );
    assert.match(
      mistakesOf(() => readConfig({ s3Sse: "aes" }, {})).join(),
      /"aes" is none of AES256, aws:kms, aws:kms:dsse/,
    );
  });

  test("refuses what is no store", () => {
    for (const store of ["/path", "file://host/path", "file:///a%zz", "file:///a?b", "file:///"])
      assert.equal(mistakesOf(() => readConfig({ store }, {})).length, 1, store);
    for (const store of [
      "s3://",
      "s3:///a",
      "s3://ab",
      "s3://b%20c/d",
      "s3://BUCKET",
      "s3://a_b/c",
    ])
      assert.equal(mistakesOf(() => readConfig({ store }, {})).length, 1, store);
    for (const prefix of ["/a", "a//b", "a/../b", ".", "a?b", "a b", "a%20b", "a\nb", "ä"])
      assert.equal(
        mistakesOf(() => readConfig({ store: `s3://bucket/${prefix}` }, {})).length,
        1,
        prefix,
      );
  });

  test("reads profiles beside those built in, and tells malformed ones by their names", (t) => {
    const own = { small: { include: ["fxgraph/**"], exclude: ["**/*.ttir"] }, lean: {} };
    const { profiles } = readConfig({ profiles: fileWith(t, JSON.stringify(own)) }, {});
    assert.deepEqual([...profiles.keys()], ["full", "lean", "vllm", "small"]);
    assert.deepEqual(profiles.get("small"), own.small);
    assert.deepEqual(profiles.get("lean"), { include: [], exclude: [] });
    const mistakeOf = (text: string) =>
      mistakesOf(() =>
        readConfig({}, { COMPILE_CACHE_PROFILES_FILE: fileWith(t, text) }),
      )[0]?.replace(/".*?" /, "");
    for (const profile of [
      '{"include": "a"}',
      '{"exclude": [1]}',
      '{"exclude": [""]}',
      '{"excluded": []}',
    ])
      assert.equal(
        mistakeOf(`{"good": {}, "bad": ${profile}}`),
        'COMPILE_CACHE_PROFILES_FILE: holds a profile "bad" that is not {include, exclude} of globs',
      );
    assert.match(mistakeOf("[]") ?? "", /does not hold an object of profiles by name$/);
    assert.match(mistakeOf("{") ?? "", /cannot be read as JSON: /);
    assert.match(
      mistakesOf(() => readConfig({ profiles: "/none/such" }, {}))[0] ?? "",
      /^--profiles-file: "\/none\/such" cannot be read as JSON: ENOENT/,
    );
  });

  test("reads tokens, and tells malformed lines without showing them", (t) => {
    const good = fileWith(t, "# ours\n\nread r-secret\n  write w-secret \r\n");
    assert.deepEqual(
      readConfig({ tokens: good }, {}).tokens?.map(({ word }) => word),
      ["read", "write"],
    );
    const bad = fileWith(t, "read r-secret\nadmin a-secret\nwrite\n");
    assert.deepEqual(
      mistakesOf(() => readConfig({}, { COMPILE_CACHE_TOKENS_FILE: bad })),
      [
        `COMPILE_CACHE_TOKENS_FILE: "${bad}" line 2, 3: each line is "read" or "write", then one token of printable ASCII characters or sha256:<its digest>; name=<name> and expires=<date> may follow`,
      ],
    );
    const empty = fileWith(t, "# none\n");
    assert.match(mistakesOf(() => readConfig({ tokens: empty }, {}))[0] ?? "", /holds no token/);
    assert.match(
      mistakesOf(() => readConfig({ tokens: "/none/such" }, {}))[0] ?? "",
      /^--tokens-file: "\/none\/such" cannot be read: ENOENT/,
    );
  });
});

describe("The documented table of settings", () => {
  test("names each one once, and says what its help says of the default", () => {
    const page = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");
    const [, table = ""] = /^## The daemon's settings\n(.*?)^## /ms.exec(page) ?? [];
    const rows = [...table.matchAll(/^\| (`[A-Z].*?) \| (.*?) \|/gm)].map(
      ([, names, byDefault]) => ({
        variables: [...(names ?? "").matchAll(/`([A-Z0-9_]+)`/g)].map(([, name]) => name),
        byDefault: byDefault?.replaceAll("`", ""),
      }),
    );
    const named = rows.flatMap(({ variables }) => variables);
    const known = Object.values(settings).map(({ variable }) => variable);
    assert.deepEqual(named.toSorted(), known.toSorted());
    for (const { variable, fallback } of Object.values(settings)) {
      if (typeof fallback !== "string") continue;
      const row = rows.find(({ variables }) => variables.includes(variable));
      assert.equal(row?.byDefault?.split(/[,;]/)[0], fallback, variable);
    }
  });
});
