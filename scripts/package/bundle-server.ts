import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { readSbom, rootedAt, sbomOfBundle, writeSbom } from "./sbom.ts";
import { thirdPartyLicenses } from "./third-party-licenses.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const server = `${root}server`;

/**
 * CommonJS packages find their own files from `__dirname`: in the bundle these lie below
 * `packages/`, as they do below node_modules.
 */
const packagePlaces: Plugin = {
  name: "package-places",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/piscina\/.*\.js$/ }, ({ path }) => {
      const [, place] = /.*node_modules\/(.*)\/[^/]*$/.exec(path) ?? [];
      const ofPlace = `(__packages + ${JSON.stringify(`/${place}`)})`;
      return { contents: readFileSync(path, "utf8").replaceAll("__dirname", ofPlace) };
    });
  },
};

const commonJsPrelude = [
  'import{createRequire as __createRequire}from"node:module"',
  "const require=__createRequire(import.meta.url)",
  'const __packages=import.meta.dirname+"/packages"',
].join(";");

/**
 * Makes `directory` the server's npm package: its sources and all that they need as plain
 * JavaScript, without dependencies. The Python package carries the same files.
 */
export async function bundleServer(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const sbom = resolve(directory, "sbom.cdx.json");
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      program: `${server}/src/cli/program.ts`,
      worker: `${server}/src/workers/worker.ts`,
      "user-process": `${server}/src/workers/user-process/program.ts`,
      "packages/piscina/dist/worker": `${root}node_modules/piscina/dist/worker.js`,
    },
    outdir: `${directory}/lib`,
    bundle: true,
    // Main thread and workers share modules, and rarely used ones, such as S3, load on demand.
    splitting: true,
    chunkNames: "[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node24",
    // Piscina imports it for a setting that we do not use.
    external: ["@napi-rs/nice"],
    minifyWhitespace: true,
    // Node shows the whole line of an error that nobody catches.
    lineLimit: 200,
    minifySyntax: true,
    legalComments: "none",
    banner: { js: commonJsPrelude },
    plugins: [packagePlaces, sbomOfBundle(sbom)],
    metafile: true,
    logLevel: "warning",
  });
  await writeSbom(sbom, rootedAt("compilecache", readSbom(sbom)));
  copyFileSync(`${server}/src/service/descriptors.binpb`, `${directory}/lib/descriptors.binpb`);
  cpSync(`${server}/bin`, `${directory}/bin`, { recursive: true });
  copyPythonPackage(`${directory}/python/compilecache`);
  copyFileSync(`${root}server/README.md`, `${directory}/README.md`);
  copyFileSync(`${root}LICENSE`, `${directory}/LICENSE`);
  writeFileSync(
    `${directory}/THIRD_PARTY_LICENSES.txt`,
    thirdPartyLicenses(root, Object.keys(metafile.inputs)),
  );
  const {
    dependencies: _,
    scripts: __,
    ...manifest
  } = JSON.parse(readFileSync(`${server}/package.json`, "utf8"));
  writeFileSync(`${directory}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** `run` and `env` are written in Python. There the daemon's program is this package's own. */
function copyPythonPackage(directory: string): void {
  const source = `${root}clients/python/src/compilecache`;
  cpSync(source, directory, {
    recursive: true,
    filter: (path) => !/\/(_server|__pycache__|[^/]*\.pyi)$/.test(path),
  });
  mkdirSync(`${directory}/_server/bin`, { recursive: true });
  writeFileSync(
    `${directory}/_server/bin/compilecache.js`,
    'import "../../../../bin/compilecache.js";\n',
  );
}

if (import.meta.main) await bundleServer(`${server}/dist`);
