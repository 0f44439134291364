// Makes in dist/ all that is published: npm packages of the client and of the server, and the wheel
// of the Python package, which holds the server. Each says what it holds: sbom.cdx.json in an npm
// package, compilecache.cdx.json below sboms/ in the wheel's metadata (PEP 770).
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
import { bundleServer } from "./bundle-server.ts";
import { packNpmPackage } from "./pack-npm-package.ts";
import {
  requirementsOfNpmPackage,
  requirementsOfPythonPackage,
} from "./requirements-of-packages.ts";
import { licensesOf, readSbom, sbomOfPackage, writeSbom } from "./sbom.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = process.argv[2] ?? `${root}dist`;
const notPackaged = /\/(_server|tests|\.[^/]*|__pycache__|[^/]*\.egg-info|build|dist)$/;

function run(program: string, args: string[], cwd: string): void {
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

/** Writes what the client's package holds, which is itself alone, and what it needs. */
async function describeClient(directory: string): Promise<void> {
  const { name, version, license } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"));
  const client = {
    type: "library",
    name,
    version,
    licenses: licensesOf(license),
    purl: `pkg:npm/${name}@${version}`,
  };
  const sbom = sbomOfPackage(client, requirementsOfNpmPackage(directory));
  await writeSbom(`${directory}/sbom.cdx.json`, sbom);
}

/** Writes what the wheel made of `source` holds, and has hatchling take it along. */
async function describeWheel(source: string, serverPackage: string): Promise<void> {
  const server = readSbom(`${serverPackage}/sbom.cdx.json`);
  const { version } = server.metadata.component;
  const wheel = {
    type: "application",
    name: "compilecache",
    ...(version && { version }),
    licenses: server.metadata.component.licenses,
    purl: `pkg:pypi/compilecache@${version}`,
  };
  const sbom = sbomOfPackage(wheel, requirementsOfPythonPackage(source), server);
  await writeSbom(`${source}/compilecache.cdx.json`, sbom);
  // Only here, for an editable install has no such file.
  const settings = readFileSync(`${source}/pyproject.toml`, "utf8");
  const ofWheels = "[tool.hatch.build.targets.wheel]\n";
  const withSbom = `${ofWheels}sbom-files = ["compilecache.cdx.json"]\n`;
  writeFileSync(`${source}/pyproject.toml`, settings.replace(ofWheels, withSbom));
}

async function makeWheel(serverPackage: string, directory: string): Promise<void> {
  const source = `${directory}/python`;
  cpSync(`${root}clients/python`, source, {
    recursive: true,
    filter: (path) => !notPackaged.test(path),
  });
  cpSync(serverPackage, `${source}/src/compilecache/_server`, { recursive: true });
  rmSync(`${source}/src/compilecache/_server/sbom.cdx.json`);
  // Tools that list an installation's licences look for files that begin with LICENSE.
  copyFileSync(`${root}LICENSE`, `${source}/LICENSE`);
  const ofTheServer = `${serverPackage}/THIRD_PARTY_LICENSES.txt`;
  copyFileSync(ofTheServer, `${source}/LICENSES-THIRD-PARTY.txt`);
  await describeWheel(source, serverPackage);
  run(`${root}.venv/bin/python`, ["-m", "hatchling", "build", "-t", "wheel", "-d", dist], source);
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(tmpdir(), "compilecache-package-"));
try {
  const serverPackage = `${work}/server`;
  await bundleServer(serverPackage);
  run("npm", ["run", "--silent", "build", "--workspace", "compilecache-client"], root);
  const clientPackage = `${root}clients/typescript/dist`;
  await describeClient(clientPackage);
  for (const made of [serverPackage, clientPackage]) await packNpmPackage(made, dist);
  await makeWheel(serverPackage, work);
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const file of readdirSync(dist)) console.log(join(dist, file));
