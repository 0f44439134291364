// Makes in dist/ all that is published: npm packages of the client and of the server, the wheel of the
// Python package, which holds the server, and that of its shim for b10-transfer. Each says what it
// holds: sbom.cdx.json in an npm package, NAME.cdx.json below sboms/ in a wheel's metadata (PEP 770).
// What is made of one commit is the same, byte for byte, wherever and whenever it is made.
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleClient } from "./bundle-client.ts";
import { bundleServer } from "./bundle-server.ts";
import { packNpmPackage } from "./pack-npm-package.ts";
import { requirementsOfPythonPackage } from "./requirements-of-packages.ts";
import { licensesOf, readSbom, type Sbom, sbomOfPackage, writeSbom } from "./sbom.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const python = `${root}.venv/bin/python`;
const dist = process.argv[2] ?? `${root}dist`;
const notPackaged = /\/(_server|tests|\.[^/]*|__pycache__|[^/]*\.egg-info|build|dist)$/;

function run(program: string, args: string[], cwd: string): void {
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

/**
 * Writes what the wheel made of `source` holds, which is itself, what pip installs beside it, and the
 * `server` where it has one, and has hatchling take that along.
 */
async function describeWheel(source: string, name: string, server?: Sbom): Promise<void> {
  const metadata = execFileSync(python, ["-m", "hatchling", "metadata"], { cwd: source });
  const { version, license } = JSON.parse(metadata.toString());
  const wheel = {
    type: server ? "application" : "library",
    name,
    version,
    licenses: server?.metadata.component.licenses ?? licensesOf(license),
    purl: `pkg:pypi/${name}@${version}`,
  };
  const sbom = sbomOfPackage(wheel, requirementsOfPythonPackage(source), server);
  await writeSbom(`${source}/${name}.cdx.json`, sbom);
  // Only here, for an editable install has no such file.
  const settings = readFileSync(`${source}/pyproject.toml`, "utf8");
  const ofWheels = "[tool.hatch.build.targets.wheel]\n";
  const withSbom = `${ofWheels}sbom-files = ["${name}.cdx.json"]\n`;
  writeFileSync(`${source}/pyproject.toml`, settings.replace(ofWheels, withSbom));
}

/** Copies a Python package to where it is made into a wheel, with its licence. */
function copySource(name: string, source: string): void {
  cpSync(`${root}clients/${name}`, source, {
    recursive: true,
    filter: (path) => !notPackaged.test(path),
  });
  // Tools that list an installation's licences look for files that begin with LICENSE.
  copyFileSync(`${root}LICENSE`, `${source}/LICENSE`);
}

function buildWheel(source: string): void {
  run(python, ["-m", "hatchling", "build", "-t", "wheel", "-d", dist], source);
}

async function makeWheel(serverPackage: string, directory: string): Promise<void> {
  const source = `${directory}/python`;
  copySource("python", source);
  cpSync(serverPackage, `${source}/src/compilecache/_server`, {
    recursive: true,
    // The wheel is that package itself.
    filter: (path) => path !== `${serverPackage}/python`,
  });
  rmSync(`${source}/src/compilecache/_server/sbom.cdx.json`);
  const ofTheServer = `${serverPackage}/THIRD_PARTY_LICENSES.txt`;
  copyFileSync(ofTheServer, `${source}/LICENSES-THIRD-PARTY.txt`);
  await describeWheel(source, "compilecache", readSbom(`${serverPackage}/sbom.cdx.json`));
  buildWheel(source);
}

/** Makes the wheel that has `import b10_transfer` mean compilecache. */
async function makeShim(directory: string): Promise<void> {
  const source = `${directory}/b10-transfer-shim`;
  copySource("b10-transfer-shim", source);
  await describeWheel(source, "compilecache-b10-transfer");
  buildWheel(source);
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(tmpdir(), "compilecache-package-"));
try {
  const serverPackage = `${work}/server`;
  await bundleServer(serverPackage);
  const clientPackage = `${work}/client`;
  await bundleClient(clientPackage);
  for (const made of [serverPackage, clientPackage]) await packNpmPackage(made, dist);
  await makeWheel(serverPackage, work);
  await makeShim(work);
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const file of readdirSync(dist)) console.log(join(dist, file));
