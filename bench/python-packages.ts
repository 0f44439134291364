import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "../fixtures/at-exit.ts";

/** A Python package with calls for caches, where it can be imported. */
export interface CallsPackage {
  /** As tables show it. */
  readonly name: string;
  readonly module: string;
  /** The program, and what its `PYTHONPATH` has to say. */
  readonly python: string;
  readonly path: string;
  /** What the program is to be run by. */
  readonly wrapper: readonly string[];
}

const root = join(import.meta.dirname, "..");
const ownPython = join(root, ".venv/bin/python");
const ownSources = join(root, "clients/python/src");

/** The peer works in these directories alone, and where 50 GB are free, so it gets its own. */
const peerMounts = ["/app", "/cache/model"];
const mount = peerMounts.map(
  (dir) => `mkdir -p ${dir} && mount -t tmpfs -o size=100g tmpfs ${dir}`,
);
const inOwnMounts = ["unshare", "--mount", "sh", "-c", `${mount.join(" && ")} && exec "$0" "$@"`];

/** Under which the peer works on a machine as small as this one. */
export const peerVariables = {
  BASETEN_FS_ENABLED: "1",
  B10FS_ENABLED: "1",
  B10FS_CACHE_DIR: "/cache/model/compile_cache",
  LOCAL_WORK_DIR: "/app",
  MIN_B10FS_SPACE_MB: "100",
  MIN_LOCAL_SPACE_MB: "100",
  MAX_CONCURRENT_SAVES: "1",
};

/**
 * What packages ask of torch: its version and its GPU, which b10-transfer 0.0.2 does not do without. As no
 * GPU is there, ours has to be told of none.
 */
const torchModule = (cuda: string) => `
from .version import __version__
from . import version
class cuda:
    is_available = staticmethod(lambda: ${cuda === "None" ? "False" : "True"})
    current_device = staticmethod(lambda: 0)
    class get_device_properties:
        def __init__(self, device): pass
        name, major, minor = "NVIDIA H200", 9, 0
`;

/** Makes a folder that can be imported from, with such a torch, and a triton. */
export function writeTorch(parent: string, cuda: "None" | "'13.0'"): string {
  const folder = join(parent, cuda === "None" ? "cpu" : "cuda");
  mkdirSync(join(folder, "torch"), { recursive: true });
  writeFileSync(join(folder, "torch", "__init__.py"), torchModule(cuda));
  const version = `__version__ = "2.11.0"\ncuda = ${cuda}\nhip = None\n`;
  writeFileSync(join(folder, "torch", "version.py"), version);
  writeFileSync(join(folder, "triton.py"), '__version__ = "3.6.0"\n');
  return folder;
}

/** This repository's package. */
export function ownPackage(torch: string): CallsPackage {
  return {
    name: "compilecache",
    module: "compilecache",
    python: ownPython,
    path: `${torch}:${ownSources}`,
    wrapper: [],
  };
}

/** b10-transfer of a version, installed for this run; undefined where that is not possible. */
export function peerPackage(version: string, torch: string): CallsPackage | undefined {
  if (process.getuid?.() !== 0 || !existsSync(ownPython)) return undefined;
  const target = mkdtempSync(join(tmpdir(), "compilecache-bench-peer-"));
  atExit(() => rmSync(target, { recursive: true, force: true }));
  const words = ["install", "-q", "--no-deps", "--target", target, `b10-transfer==${version}`];
  try {
    execFileSync(ownPython, ["-m", "pip", ...words], { stdio: ["ignore", "ignore", "inherit"] });
  } catch {
    return undefined;
  }
  const name = `b10-transfer ${version}`;
  return {
    name,
    module: "b10_transfer",
    python: ownPython,
    path: `${torch}:${target}`,
    wrapper: inOwnMounts,
  };
}
