import { readFileSync, writeFileSync } from "node:fs";
import { cyclonedxEsbuildPlugin } from "@cyclonedx/cyclonedx-esbuild";
import { Version } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";

/** A bill of materials: what a package holds, in CycloneDX 1.7, the first that knows `isExternal`. */
export interface Sbom {
  readonly metadata: { readonly component: Component; readonly [key: string]: unknown };
  readonly components: readonly Component[];
  readonly dependencies: readonly {
    readonly ref: string;
    readonly dependsOn?: readonly string[];
  }[];
  readonly [key: string]: unknown;
}

/** A package: one that is held, or, with `isExternal`, one that is installed beside it. */
export interface Component {
  readonly type: string;
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  /** Of an external one, whose version is for the installer to choose. */
  readonly versionRange?: string;
  readonly isExternal?: boolean;
  readonly scope?: string;
  readonly purl: string;
  readonly licenses: readonly (
    | { license: { id?: string; name?: string } }
    | { expression: string }
  )[];
  readonly "bom-ref": string;
}

/** A package that is not held: its registry, name, what versions will do, and its licence. */
export interface Requirement {
  readonly registry: "npm" | "pypi";
  readonly name: string;
  /** As the registry writes it: `1.14.7`, `>=1.51`, `==24.19.0`, or nothing for any. */
  readonly versions: string;
  readonly license: string;
  readonly optional?: boolean;
}

/** Has esbuild write into `file` what its bundle holds; the package of the workspace is its root. */
export const sbomOfBundle = (file: string) =>
  cyclonedxEsbuildPlugin({
    specVersion: Version.v1dot7,
    outputFile: file,
    // Neither time nor random number: two builds of one commit are the same.
    outputReproducible: true,
    validate: false,
    logLevel: "silent",
  });

export const readSbom = (file: string): Sbom => JSON.parse(readFileSync(file, "utf8"));

/** Throws if `sbom` is not what the schema of CycloneDX asks for. */
export async function writeSbom(file: string, sbom: Sbom): Promise<void> {
  const text = `${JSON.stringify(sbom, null, 2)}\n`;
  const wrong = await new JsonStrictValidator(Version.v1dot7).validate(text);
  if (wrong) {
    const mistakes = (wrong as { instancePath: string; message?: string }[])
      .map(({ instancePath, message }) => `${instancePath} ${message}`)
      .join("; ");
    throw new Error(`${file} would be no CycloneDX: ${mistakes}`);
  }
  writeFileSync(file, text);
}

/** `bundle` as that of the package `name` in it, which was built from the workspace. */
export function rootedAt(
  name: string,
  { metadata, components, dependencies, ...rest }: Sbom,
): Sbom {
  const root = components.find((component) => component.name === name);
  if (!root) throw new Error(`${name} is not in the bundle`);
  const { scope: _, ...component } = root;
  return {
    ...rest,
    metadata: { ...metadata, component: { ...component, type: "application" } },
    components: components.filter((component) => component !== root),
    dependencies: dependencies.filter(({ ref }) => ref !== metadata.component["bom-ref"]),
  };
}

/** That of a package which holds all that `held` has, and needs `requirements` beside it. */
export function sbomOfPackage(
  component: Omit<Component, "bom-ref">,
  requirements: readonly Requirement[],
  held?: Sbom,
): Sbom {
  const root = { ...component, "bom-ref": component.purl };
  const inside = held ? [{ ...held.metadata.component, scope: "required" }] : [];
  const beside = requirements.map(external);
  const refs = [...inside, ...beside].map((component) => component["bom-ref"]);
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.7.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.7",
    version: 1,
    metadata: { ...held?.metadata, component: root },
    components: [...inside, ...(held?.components ?? []), ...beside],
    dependencies: [{ ref: root["bom-ref"], dependsOn: refs }, ...(held?.dependencies ?? [])],
  };
}

/** What a manifest says of its licence, an identifier of SPDX or an expression of them. */
export function licensesOf(license: string): Component["licenses"] {
  return license.includes(" ") ? [{ expression: license }] : [{ license: { id: license } }];
}

function external({ registry, name, versions, license, optional }: Requirement): Component {
  const [, group, base = name] = /^(@[^/]+)\/(.*)$/.exec(name) ?? [];
  const exact = /^(?:==)?(\d[\w.]*)$/.exec(versions)?.[1];
  const unversioned = `pkg:${registry}/${name.replace("@", "%40")}`;
  const purl = exact ? `${unversioned}@${exact}` : unversioned;
  return {
    type: "library",
    ...(group && { group }),
    name: base,
    "bom-ref": purl,
    ...(exact ? { version: exact } : { versionRange: `vers:${registry}/${versions || "*"}` }),
    isExternal: true,
    scope: optional ? "optional" : "required",
    licenses: licensesOf(license),
    purl,
  };
}
