// Runs all tests of the stores, against real servers and a bad network. Installs the programs that are
// missing, by name: Go programs take some minutes, garage a quarter of an hour.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { cargoHome, findTool, goBin, type ToolName } from "../fixtures/tools.ts";
import { installDebianPackages } from "./install-debian-packages.ts";

interface GoTool {
  readonly module: string;
  /** The package of the program, below the module. */
  readonly program: string;
  readonly version: string;
}

const goTools: Record<Exclude<ToolName, "garage">, GoTool> = {
  versitygw: {
    module: "github.com/versity/versitygw",
    program: "/cmd/versitygw",
    version: "v1.8.0",
  },
  "toxiproxy-server": {
    module: "github.com/Shopify/toxiproxy/v2",
    program: "/cmd/server",
    version: "v2.12.0",
  },
  minio: {
    module: "github.com/minio/minio",
    program: "",
    version: "v0.0.0-20260212201848-7aac2a2c5b7c",
  },
};

/** Garage is the object server under test that ignores conditions. */
const garageVersion = "2.5.0";

function run(command: string, args: string[], environment: Record<string, string> = {}): void {
  const { status, error } = spawnSync(command, args, {
    stdio: "inherit",
    env: { ...process.env, ...environment },
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function isInstalled(name: ToolName, { module, version }: GoTool): boolean {
  const path = findTool(name);
  if (!path) return false;
  const { stdout } = spawnSync("go", ["version", "-m", path], { encoding: "utf8" });
  return stdout.includes(`\tmod\t${module}\t${version}\t`);
}

function install(name: ToolName, { module, program, version }: GoTool): void {
  console.log(`installing ${name} ${version}`);
  const place = mkdtempSync(join(tmpdir(), "go-install-"));
  try {
    run("go", ["install", `${module}${program}@${version}`], { GOBIN: place });
    mkdirSync(goBin, { recursive: true });
    copyFileSync(join(place, basename(`${module}${program}`)), join(goBin, name));
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function installGarage(): void {
  if (findTool("garage")) return;
  console.log(`installing garage ${garageVersion}`);
  run("cargo", ["install", "garage", "--version", garageVersion, "--root", cargoHome]);
}

for (const [name, tool] of Object.entries(goTools) as [ToolName, GoTool][])
  if (!isInstalled(name, tool)) install(name, tool);
installGarage();

installDebianPackages();

run(
  process.execPath,
  [
    "--test",
    "--test-concurrency=1",
    "server/src/store/**/*.test.ts",
    "test/slow/stores/**/*.test.ts",
  ],
  { STORE_TESTS: "all" },
);
