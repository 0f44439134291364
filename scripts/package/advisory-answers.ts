/** What an advisory source said of some packages. */
export type Answer =
  /** Each line names a package, its advisory, and what fixes it if something does. */
  | { readonly found: readonly string[] }
  /** The source was not reached, or does not know the packages: no more was learnt than `why`. */
  | { readonly notChecked: string };

/** What `npm audit --json` printed. Throws SyntaxError if that is no JSON. */
export function answerOfNpm(stdout: string): Answer {
  const answer: {
    message?: string;
    vulnerabilities?: Record<string, { name: string; severity: string; range: string }>;
  } = JSON.parse(stdout);
  const { message, vulnerabilities } = answer;
  if (!vulnerabilities) return { notChecked: message ?? stdout.trim() };
  const found = Object.values(vulnerabilities).map(
    ({ name, severity, range }) => `${name} ${range}: ${severity}`,
  );
  return { found };
}

/**
 * What `pip-audit --format json` printed. It calls packages that its source does not know "skipped",
 * and ends well even if these are all; here one of them is enough for "not checked".
 */
export function answerOfPip(stdout: string, stderr: string): Answer {
  if (!stdout.trim()) return { notChecked: stderr.trim().split("\n").at(-1) ?? "no answer" };
  const answer: {
    dependencies: {
      name: string;
      version?: string;
      skip_reason?: string;
      vulns?: { id: string; fix_versions: string[] }[];
    }[];
  } = JSON.parse(stdout);
  const found = answer.dependencies.flatMap(({ name, version, vulns = [] }) =>
    vulns.map(
      ({ id, fix_versions }) =>
        `${name} ${version}: ${id}, fixed in ${fix_versions.join(", ") || "no version"}`,
    ),
  );
  const skipped = answer.dependencies.find(({ skip_reason }) => skip_reason)?.skip_reason;
  // What was found counts for more than what was skipped.
  return skipped && found.length === 0 ? { notChecked: skipped } : { found };
}
