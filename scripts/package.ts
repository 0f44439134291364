// Makes in dist/ all that is published: npm packages of the client and of the server, and the wheel
// of the Python package, which holds the server.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleServer } from "./bundle-server.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = process.argv[2] ?? `${root}dist`;
const notPackaged = /\/(_server|tests|\.[^/]*|__pycache__|[^/]*\.egg-info|build|dist)$/;

function run(program: string, args: string[], cwd: string): void {
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

function makeWheel(serverPackage: string, directory: string): void {
  const source = `${directory}/python`;
  cpSync(`${root}clients/python`, source, {
    recursive: true,
    filter: (path) => !notPackaged.test(path),
  });
  cpSync(serverPackage, `${source}/src/compilecache/_server`, { recursive: true });
  // Tools that list the licences of an installation look for names that begin with LICENSE.
  copyFileSync(`${root}LICENSE`, `${source}/LICENSE`);
  const ofTheServer = `${serverPackage}/THIRD_PARTY_LICENSES.txt`;
  copyFileSync(ofTheServer, `${source}/LICENSES-THIRD-PARTY.txt`);
  run(`${root}.venv/bin/python`, ["-m", "hatchling", "build", "-t", "wheel", "-d", dist], source);
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(tmpdir(), "compilecache-package-"));
try {
  const serverPackage = `${work}/server`;
  await bundleServer(serverPackage);
  run("npm", ["run", "--silent", "build", "--workspace", "compilecache-client"], root);
  for (const made of [serverPackage, `${root}clients/typescript/dist`])
    run("npm", ["pack", "--silent", "--pack-destination", dist], made);
  makeWheel(serverPackage, work);
} finally {
  rmSync(work, { recursive: true, force: true });
}
for (const file of readdirSync(dist)) console.log(join(dist, file));
