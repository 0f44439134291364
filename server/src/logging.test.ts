import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";

/** What a program of this text writes with a logger that it makes. */
function outputOf(options: object, program: string): string[] {
  const { stdout, stderr } = spawnSync(process.execPath, [
    "--input-type=module",
    "-e",
    `import { createLogger } from ${JSON.stringify(import.meta.resolve("./logging.ts"))};
     const logger = createLogger(${JSON.stringify(options)});
     ${program}`,
  ]);
  assert.equal(stderr.toString(), "");
  return stdout.toString().trimEnd().split("\n");
}

describe("createLogger", () => {
  test("writes a JSON object a line, with the fields of its child and an error's cause", () => {
    const lines = outputOf(
      { level: "info", format: "json" },
      `const transfer = logger.child({ operation_id: "op" });
       transfer.info("done\\nindeed", { bytes: 5n });
       transfer.error("failed", { error: new Error("outer", { cause: new Error("inner") }) });`,
    ).map((line) => JSON.parse(line));
    const [done, failed] = lines;
    assert.equal(lines.length, 2);
    assert.ok(Math.abs(Date.parse(done.timestamp) - Date.now()) < 60_000);
    delete done.timestamp;
    assert.deepEqual(done, {
      level: "info",
      message: "done\nindeed",
      operation_id: "op",
      bytes: "5",
    });
    assert.match(failed.error, /outer[\s\S]*inner/);
  });

  test("tells in words alone what an operator mends, and where it was what nobody expected", () => {
    const lines = outputOf(
      { level: "info", format: "json" },
      `const { CacheError } = await import(${JSON.stringify(import.meta.resolve("./domain/cache-error.ts"))});
       const failed = (reason, cause) =>
         logger.error("failed", { error: new CacheError(reason, "the store is not there", { cause }) });
       failed("STORE_UNAVAILABLE", new Error("ENOENT: no such file"));
       failed("STORE_UNAVAILABLE", new TypeError("x is not a function"));
       failed("INTERNAL", new Error("odd"));`,
    ).map((line) => JSON.parse(line).error);
    assert.equal(lines[0], "the store is not there: ENOENT: no such file");
    for (const text of lines.slice(1)) assert.match(text, /\n +at /);
  });

  test("leaves out what is below its level", () => {
    const lines = outputOf(
      { level: "warn", format: "json" },
      `logger.debug("a"); logger.info("b"); logger.warn("c"); logger.error("d");`,
    );
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).message),
      ["c", "d"],
    );
  });

  test("writes lines that people can read", () => {
    const [line] = outputOf(
      { level: "debug", format: "human" },
      `logger.child({ operation_id: "op" }).debug("packing", { files: 3 });`,
    );
    assert.match(line ?? "", /^\S+Z debug packing operation_id=op files=3$/);
  });

  test("shows people where a caller's words end, on one line and without control characters", () => {
    const lines = outputOf(
      { level: "info", format: "human" },
      `logger.info("copy a\\nb started", { dir: "/a b", name: "x\\n2026 error y", left: ["\\u009b1m"] });
       logger.info("failed", { error: new Error("no \\u001b[31mred") });`,
    );
    assert.match(
      lines[0] ?? "",
      /Z info {2}copy a\\nb started dir="\/a b" name="x\\n2026 error y" left=/,
    );
    assert.match(lines[2] ?? "", /^ {2}error: Error: no \\u001b\[31mred$/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
    assert.doesNotMatch(lines.join(""), /[\u0000-\u001f\u007f-\u009f]/);
  });
});
