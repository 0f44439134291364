import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { callerCertificate } from "./caller-certificate.ts";

const certificates = join(import.meta.dirname, "../../../test/vectors/tls");
const read = (name: string) =>
  callerCertificate(new X509Certificate(readFileSync(`${certificates}/${name}.crt`)));

describe("a caller's certificate", () => {
  // CN=spiffe://victim/cn, and, of the first alone, DNS:*.wild.example and DNS:Own.example.
  const uri = "spiffe://own/name";
  const others = [
    "",
    "example",
    "a.wild.example",
    ".wild.example",
    "spiffe://victim/cn",
    "spiffe://victim/uri",
    "x://a",
  ];

  it("is of the names that it spells out", () => {
    const certificate = read("odd-names");
    for (const name of [uri, "own.example", "OWN.example", "*.wild.example"])
      assert.ok(certificate.isOf(name), name);
    for (const name of others) assert.ok(!certificate.isOf(name), name);
  });

  it("is of no URI that only its common name looks like", () => {
    const certificate = read("no-host");
    assert.ok(certificate.isOf(uri));
    for (const name of [...others, "own.example"]) assert.ok(!certificate.isOf(name), name);
  });

  it("is shown on one line", () => assert.ok(!read("odd-names").shown.includes("\n")));
});
