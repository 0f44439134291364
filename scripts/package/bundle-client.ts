import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { readSbom, rootedAt, sbomOfBundle, writeSbom } from "./sbom.ts";
import { thirdPartyLicenses } from "./third-party-licenses.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const client = `${root}clients/typescript`;

/** grpc-js loads it for services that a client does not have. */
const withoutProtoLoader: Plugin = {
  name: "without-proto-loader",
  setup({ onLoad }) {
    onLoad({ filter: /grpc-js\/build\/src\/(channelz|orca)\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("require('@grpc/proto-loader')", "({})"),
    }));
  },
};

/**
 * Makes `directory` the npm package of the TypeScript client: one file each for `import` and `require`,
 * with all that they need, and their types.
 */
export async function bundleClient(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const sbom = resolve(directory, "sbom.cdx.json");
  const options = {
    absWorkingDir: root,
    entryPoints: [`${client}/src/index.ts`],
    bundle: true,
    platform: "node",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    // Node shows the whole line of an error that nobody catches.
    lineLimit: 200,
    legalComments: "none",
    plugins: [withoutProtoLoader],
    metafile: true,
    logLevel: "warning",
  } as const satisfies BuildOptions;
  const { metafile } = await build({
    ...options,
    format: "cjs",
    outfile: `${directory}/index.cjs`,
    plugins: [withoutProtoLoader, sbomOfBundle(sbom)],
  });
  await build({
    ...options,
    format: "esm",
    outfile: `${directory}/index.js`,
    banner: { js: requireOfBuiltins(metafile) },
  });
  await writeSbom(sbom, rootedAt("compilecache-client", readSbom(sbom)));
  writeTypes(directory);
  for (const file of [`${client}/README.md`, `${root}LICENSE`])
    copyFileSync(file, `${directory}/${basename(file)}`);
  writeFileSync(
    `${directory}/THIRD_PARTY_LICENSES.txt`,
    thirdPartyLicenses(root, Object.keys(metafile.inputs)),
  );
  writeManifest(directory);
}

/**
 * `require` for what is CommonJS in an ES module: Node's own modules, imported. Not `createRequire`, which
 * needs the URL of the module, and that a bundler of the user may not give.
 */
function requireOfBuiltins({ inputs }: Metafile): string {
  const required = Object.values(inputs).flatMap(({ imports }) =>
    imports.flatMap(({ path, kind }) => (kind === "require-call" && isBuiltin(path) ? path : [])),
  );
  const names = [...new Set(required)].sort();
  const imports = names.map((name, n) => `import __builtin${n} from"${name}";`);
  const table = names.map((name, n) => `"${name}":__builtin${n}`);
  return `${imports.join("")}const __builtins={${table.join(",")}};const require=(name)=>__builtins[name];`;
}

/** Writes the declarations twice: a file for `require` may refer to nothing that only `import` reaches. */
function writeTypes(directory: string): void {
  const made = `${directory}/types`;
  const tsc = [`${root}node_modules/typescript/bin/tsc`, "-p", `${client}/tsconfig.build.json`];
  execFileSync(process.execPath, [...tsc, "--outDir", made], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  for (const path of declarationsFrom(`${made}/src/index.d.ts`)) {
    const text = textOf(path)
      // A user need not have the types of Node.
      .replaceAll("NodeJS.ProcessEnv", "Record<string, string | undefined>")
      .replace(/\n?\/\/# sourceMappingURL=.*$/m, "");
    for (const [from, to] of [
      ["js", "ts"],
      ["cjs", "cts"],
    ]) {
      const place = path.replace(`${made}/src/`, `${directory}/`).replace(/ts$/, `${to}`);
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, text.replace(relativeImport, `$1$2.${from}$3`));
    }
  }
  rmSync(made, { recursive: true });
}

const relativeImport = /(\bfrom |\bimport\()("\.[^"]*)\.(?:js|ts)(")/g;

/** A declaration's text without imports of what only internal declarations named, which are left out. */
function textOf(path: string): string {
  const text = readFileSync(path, "utf8");
  return text.replace(
    /^import (?:type )?\{ ([^}]*) \} from "[^"]*";\n/gm,
    (line, names: string) => {
      const own = names.split(", ").map((name) => name.replace(/^type |^.* as /g, ""));
      const isUsed = (name: string) =>
        (text.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0) > 1;
      return own.some(isUsed) ? line : "";
    },
  );
}

/** A declaration and all that it refers to. Fails where that is another package's. */
function declarationsFrom(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, name = ""] of textOf(path).matchAll(/(?:\bfrom |\bimport\()"([^"]+)"/g)) {
    if (!name.startsWith(".")) throw new Error(`${path} needs the types of ${name}`);
    declarationsFrom(resolve(dirname(path), name.replace(/\.[jt]s$/, ".d.ts")), found);
  }
  return found;
}

function writeManifest(directory: string): void {
  const {
    dependencies: _,
    scripts: __,
    ...manifest
  } = JSON.parse(readFileSync(`${client}/package.json`, "utf8"));
  manifest.main = "./index.cjs";
  manifest.types = "./index.d.cts";
  manifest.exports = {
    ".": {
      import: { types: "./index.d.ts", default: "./index.js" },
      require: { types: "./index.d.cts", default: "./index.cjs" },
    },
    "./package.json": "./package.json",
  };
  writeFileSync(`${directory}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
}

if (import.meta.main) await bundleClient(`${client}/dist`);
