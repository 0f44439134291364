import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answerOfNpm, answerOfPip } from "./advisory-answers.ts";

describe("answerOfNpm", () => {
  it("names what npm found", () => {
    const tar = { name: "tar", severity: "high", range: "<7.5.3", isDirect: true };
    const stdout = JSON.stringify({ vulnerabilities: { tar }, metadata: {} });
    assert.deepEqual(answerOfNpm(stdout), { found: ["tar <7.5.3: high"] });
  });

  it("finds nothing where npm did", () => {
    assert.deepEqual(answerOfNpm('{"vulnerabilities": {}, "metadata": {}}'), { found: [] });
  });

  it("says that nothing was checked where the registry refuses", () => {
    const refused = { message: "405 Method Not Allowed", statusCode: 405, error: {} };
    assert.deepEqual(answerOfNpm(JSON.stringify(refused)), { notChecked: refused.message });
  });
});

describe("answerOfPip", () => {
  const answer = (...dependencies: object[]) => JSON.stringify({ dependencies, fixes: [] });
  const fine = { name: "grpcio", version: "1.85.1", vulns: [] };
  const skipped = { name: "protobuf", skip_reason: "Dependency not found on PyPI" };
  const vulns = [{ id: "PYSEC-1", fix_versions: ["4.25.8"], aliases: [] }];
  const bad = { name: "protobuf", version: "4.25.7", vulns };

  it("names what pip-audit found, whatever it skipped", () => {
    const found = ["protobuf 4.25.7: PYSEC-1, fixed in 4.25.8"];
    assert.deepEqual(answerOfPip(answer(fine, bad, skipped), ""), { found });
  });

  it("finds nothing where pip-audit did", () => {
    assert.deepEqual(answerOfPip(answer(fine), ""), { found: [] });
  });

  it("says that nothing was checked where a package was skipped", () => {
    const notChecked = "Dependency not found on PyPI";
    assert.deepEqual(answerOfPip(answer(fine, skipped), ""), { notChecked });
  });

  it("says so where pip-audit answered nothing", () => {
    const stderr = "Traceback\nConnectionError: no such host\n";
    const notChecked = "ConnectionError: no such host";
    assert.deepEqual(answerOfPip("", stderr), { notChecked });
  });
});
