import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";

const root = resolve(import.meta.dirname, "..");

/**
 * What each room may import besides itself. A room is a folder, or a file where that has a rule of its
 * own; a folder's rule does not hold for the folders in it. Paths are below server/src.
 */
const server: Rules = {
  async: [],
  domain: [],
  access: ["domain", "local"],
  listen: ["domain"],
  "local/tree": ["domain"],
  local: ["domain", "local/space", "local/tree"],
  "local/space": ["domain"],
  store: ["domain"],
  "store/open-store.ts": ["domain", "store", "store/file", "store/s3", "store/s3/calls"],
  "store/file": ["async", "domain", "store", "store/file/mount"],
  "store/file/mount": ["async", "domain", "store"],
  "store/s3": ["async", "domain", "store", "store/s3/calls", "store/s3/write"],
  "store/s3/calls": ["async", "domain", "store"],
  "store/s3/write": ["async", "domain", "store", "store/s3/calls"],
  "store/contract": ["store"],
  archive: [],
  "archive/format": ["domain", "store"],
  "archive/torch": ["domain", "local/tree"],
  "archive/pack": [
    "archive",
    "archive/format",
    "archive/torch",
    "async",
    "domain",
    "local",
    "local/tree",
    "store",
  ],
  "archive/unpack": [
    "archive",
    "archive/format",
    "archive/torch",
    "async",
    "domain",
    "local",
    "local/space",
    "local/tree",
    "store",
  ],
  workers: [
    "archive/format",
    "archive/pack",
    "archive/unpack",
    "domain",
    "local",
    "local/space",
    "local/tree",
    "workers/user-process",
  ],
  "workers/user-process": ["domain", "local", "workers"],
  signing: ["archive/format", "domain"],
  upkeep: [
    "access",
    "archive/format",
    "archive/pack",
    "archive/unpack",
    "async",
    "domain",
    "flows",
    "signing",
    "store",
  ],
  transfers: ["async", "domain"],
  flows: [
    "archive/format",
    "archive/unpack",
    "async",
    "domain",
    "local",
    "local/tree",
    "signing",
    "store",
    "transfers",
    "workers",
    "workers/user-process",
  ],
  "flows/save": [
    "archive/format",
    "archive/pack",
    "archive/unpack",
    "async",
    "domain",
    "flows",
    "store",
    "transfers",
    "workers",
  ],
  operations: [
    "access",
    "domain",
    "flows",
    "flows/save",
    "local",
    "signing",
    "store",
    "transfers",
    "workers",
  ],
  service: [
    "access",
    "async",
    "domain",
    "listen",
    "operations",
    "service/bounds",
    "service/connect",
    "transfers",
  ],
  "service/bounds": ["access", "async", "domain", "service"],
  "service/connect": ["async", "domain", "service", "service/bounds", "transfers"],
  config: [
    "access",
    "config/defaults",
    "config/parse",
    "domain",
    "listen",
    "local",
    "signing",
    "store/open-store.ts",
    "upkeep",
  ],
  "config/defaults": ["local/space"],
  "config/parse": ["access", "domain", "listen", "local", "signing", "store/open-store.ts"],
  "logging.ts": ["domain"],
  "own-state.ts": ["domain", "store/open-store.ts"],
  "daemon.ts": [
    "config",
    "domain",
    "listen",
    "logging.ts",
    "operations",
    "own-state.ts",
    "service",
    "signing",
    "store/open-store.ts",
    "upkeep",
  ],
  "open-upkeep.ts": ["config", "domain", "signing", "store/open-store.ts", "upkeep", "workers"],
  "cli/program.ts": ["cli", "cli/create-program.ts"],
  "cli/create-program.ts": ["cli", "cli/commands", "cli/output", "domain"],
  "cli/commands": [
    "cli",
    "cli/environment",
    "cli/errors",
    "cli/hints",
    "cli/output",
    "config",
    "daemon.ts",
    "domain",
    "listen",
    "logging.ts",
    "signing",
    "upkeep",
  ],
  cli: [
    "cli/environment",
    "cli/errors",
    "cli/hints",
    "cli/output",
    "cli/python",
    "config",
    "domain",
    "open-upkeep.ts",
    "store",
    "upkeep",
  ],
  "cli/environment": ["cli/errors", "cli/hints", "cli/python", "domain"],
  "cli/errors": [],
  "cli/hints": [],
  "cli/output": ["cli/environment", "cli/hints", "domain"],
  "cli/python": ["cli/errors"],
};

/** Packages that only these rooms, and the folders in them, may import. */
const onlyIn: Record<string, string | readonly string[]> = {
  "@grpc/grpc-js": "server/src/service",
  "compilecache-client/gen": "server/src/service",
  "compilecache-client": "server/src/cli",
  "compilecache-client/daemons": ["server/src/cli", "server/src/listen", "server/src/own-state.ts"],
  "compilecache-client/places": ["server/src/cli", "server/src/config", "server/src/listen"],
  commander: "server/src/cli",
  "@bomb.sh/tab": "server/src/cli/commands",
  "cli-progress": "server/src/cli",
  tar: "server/src/archive/unpack",
  picomatch: "server/src/archive/pack",
  piscina: "server/src/workers",
  "@aws-sdk/client-s3": "server/src/store/s3",
  "@aws-sdk/credential-provider-node": "server/src/store/s3",
  "@smithy/core": "server/src/store/s3",
  winston: "server/src/logging.ts",
  yaml: "server/src/config",
  zod: "server/src/config",
};

type Rules = Record<string, readonly string[]>;

interface Module {
  readonly path: string;
  /** Files of this repository, by their paths. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/** The modules below a folder, but for generated ones. */
function* modulesIn(folder: string): Generator<Module> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "gen") yield* modulesIn(path);
    else if (path.endsWith(".ts")) yield moduleAt(path);
  }
}

const isTest = ({ path }: Module) => path.endsWith(".test.ts");

function moduleAt(path: string): Module {
  const text = readFileSync(join(root, path), "utf8");
  const found = text.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g);
  const names = [...found].map(([, name = ""]) => name);
  const isFile = (name: string) => name.startsWith(".");
  return {
    path,
    files: names.filter(isFile).map((name) => relative(root, resolve(root, dirname(path), name))),
    packages: names.filter((name) => !isFile(name)),
  };
}

/** The rule that a file is under: its own, or that of its folder. */
function roomOf(path: string, rules: Rules): string {
  return path in rules ? path : dirname(path);
}

/** Rules for rooms that lie below a folder. */
function below(folder: string, rules: Rules): Rules {
  const full = (room: string) => `${folder}/${room}`;
  return Object.fromEntries(
    Object.entries(rules).map(([room, may]) => [full(room), may.map(full)]),
  );
}

function isIn(path: string, room: string): boolean {
  return path === room || path.startsWith(`${room}/`);
}

/** Chains of files that import each other, in a circle. */
function circlesOf(modules: readonly Module[]): string[] {
  const filesOf = new Map(modules.map(({ path, files }) => [path, files]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]) => {
    const at = way.indexOf(path);
    if (at >= 0) circles.push([...way.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const next of filesOf.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const { path } of modules) visit(path, []);
  return circles;
}

/** Registers the tests that hold modules to the rules of their rooms. */
function describeRooms(what: string, rooms: Rules, modules: readonly Module[]): void {
  describe(`the rooms of ${what}`, () => {
    it("each have a rule, and each rule has a room", () => {
      const found = new Set(modules.map(({ path }) => roomOf(path, rooms)));
      assert.deepEqual([...found].sort(), Object.keys(rooms).sort());
    });

    it("import only what their rule names", () => {
      const wrong = modules.flatMap(({ path, files }) => {
        const from = roomOf(path, rooms);
        return files
          .filter((file) => {
            const to = roomOf(file, rooms);
            return to !== from && !rooms[from]?.includes(to);
          })
          .map((file) => `${path} imports ${file}`);
      });
      assert.deepEqual(wrong, []);
    });

    it("have no files that import each other in a circle", () => {
      assert.deepEqual(circlesOf(modules), []);
    });
  });
}

const serverModules = [...modulesIn("server/src")].filter((module) => !isTest(module));
describeRooms("the server", below("server/src", server), serverModules);

describe("packages", () => {
  it("are left to the room that owns them", () => {
    const wrong = serverModules.flatMap(({ path, packages }) =>
      packages
        .filter((name) => {
          const [owned] = Object.keys(onlyIn)
            .filter((known) => name === known || name.startsWith(`${known}/`))
            .sort((a, b) => b.length - a.length);
          return (
            owned !== undefined && ![onlyIn[owned] ?? []].flat().some((room) => isIn(path, room))
          );
        })
        .map((name) => `${path} imports ${name}`),
    );
    assert.deepEqual(wrong, []);
  });
});

/** What each room of the benchmark may import besides itself. */
const bench: Rules = {
  "bench/run.ts": ["bench", "bench/report", "bench/suite.ts", "bench/suites"],
  "bench/suite.ts": ["bench"],
  bench: [
    "bench/report",
    "bench/suite.ts",
    "clients/typescript/src",
    "fixtures",
    "scripts/package",
  ],
  "bench/report": ["bench/suite.ts", "server/src/domain"],
  "bench/gpu": [],
  "bench/probes": ["clients/typescript/src", "fixtures"],
  "bench/suites": ["bench", "bench/probes", "bench/report", "bench/suite.ts", "fixtures"],
  "bench/scale": ["bench/report"],
  "bench/scale/run.ts": ["bench/scale", "bench/scale/measure", "bench/scale/page"],
  "bench/scale/measure": [
    "bench",
    "bench/report",
    "bench/scale",
    "clients/typescript/src",
    "fixtures",
  ],
  "bench/scale/simulate": ["bench/report", "bench/scale", "fixtures"],
  "bench/scale/page": ["bench/report", "bench/scale", "bench/scale/simulate"],
};

describeRooms(
  "the benchmark",
  bench,
  [...modulesIn("bench")].filter((module) => !isTest(module)),
);

/** What the files below each folder outside of the server may import besides that folder. */
const beside: Rules = {
  fixtures: [],
  "test/support": ["clients", "fixtures", "server/src"],
  "test/suites/bench": ["bench", "fixtures"],
  "test/suites/cli": ["clients", "fixtures", "server/src", "test/support"],
  "test/suites/client": ["clients", "fixtures", "test/support"],
  "test/suites/concurrency": ["clients", "fixtures", "server/src", "test/support"],
  "test/suites/flows": ["server/src", "test/support"],
  "test/suites/package": ["clients", "scripts", "test/support"],
  "test/suites/readme": ["fixtures", "test/support"],
  "test/suites/refresh": ["server/src", "test/support"],
  "test/suites/rights": ["fixtures", "test/support"],
  "test/suites/upkeep": ["server/src", "test/support"],
  "test/suites/round-trip": ["fixtures"],
  "test/suites/settings": ["clients", "server/src", "test/support"],
  "test/suites/service": ["clients", "fixtures", "server/src", "test/support"],
  "test/slow": ["clients", "fixtures", "scripts", "server/src", "test/support"],
};

describe("the rooms of tests and fixtures", () => {
  const folders = Object.keys(beside);
  const modules = ["fixtures", "test"]
    .flatMap((folder) => [...modulesIn(folder)])
    .filter(({ path }) => path !== "test/layers.test.ts");

  it("each have a rule", () => {
    const homeless = modules.filter(({ path }) => !folders.some((folder) => isIn(path, folder)));
    assert.deepEqual(homeless, []);
    const empty = folders.filter((folder) => !modules.some(({ path }) => isIn(path, folder)));
    assert.deepEqual(empty, []);
  });

  it("import only what their rule names: support no suite, and a suite no other suite", () => {
    const wrong = folders.flatMap((folder) =>
      modules
        .filter(({ path }) => isIn(path, folder))
        .flatMap(({ path, files }) =>
          files
            .filter((file) => ![folder, ...(beside[folder] ?? [])].some((may) => isIn(file, may)))
            .map((file) => `${path} imports ${file}`),
        ),
    );
    assert.deepEqual(wrong, []);
  });

  it("have no files that import each other in a circle", () => {
    assert.deepEqual(circlesOf(modules), []);
  });
});
