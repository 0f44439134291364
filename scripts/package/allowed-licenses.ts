import type { Sbom } from "./sbom.ts";

/** What a company can ship without asking anybody: permissive, and no more than a notice to keep. */
const allowed = new Set(["Apache-2.0", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT"]);

/**
 * The packages in `sbom` that name no licence, or one that is not allowed, each with what it names.
 * Every licence of an expression counts, for which of them holds is for a person to judge.
 */
export function licensesNotAllowed({ metadata, components }: Sbom): string[] {
  return [metadata.component, ...components].flatMap(({ name, licenses = [] }) => {
    const named = licenses.map((license) =>
      "expression" in license ? license.expression : (license.license.id ?? license.license.name),
    );
    const ids = named.flatMap((text) => text?.match(/[\w.+-]+/g) ?? []);
    const fine = ids.every((id) => allowed.has(id) || id === "AND" || id === "OR");
    return fine && ids.length > 0 ? [] : [`${name}: ${named.join(", ") || "no licence"}`];
  });
}
