// Makes dist/ the package that is published: what was compiled, and a manifest that points at it.
// In this repository the package's own manifest points at the sources, which run unbuilt.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";

const here = new URL("./", import.meta.url);
const { scripts: _, ...manifest } = JSON.parse(readFileSync(new URL("package.json", here), "utf8"));
manifest.exports = {
  ".": { types: "./src/index.d.ts", default: "./src/index.js" },
  "./places": { types: "./src/settings/places.d.ts", default: "./src/settings/places.js" },
  "./gen/*": "./gen/*",
};
writeFileSync(new URL("dist/package.json", here), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(new URL("README.md", here), new URL("dist/README.md", here));
