import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BadRequest, ErrorInfo } from "compilecache-client/gen/google/rpc/error_details.ts";
import { Status } from "compilecache-client/gen/google/rpc/status.ts";
import { CacheError, invalidField } from "../domain/cache-error.ts";
import { toServiceError, toStatus } from "./status.ts";

const shortName = ({ typeUrl }: { typeUrl: string }) => typeUrl.replace(/^.*\./, "");

describe("toStatus", () => {
  test("carries code, message, reason and violations", () => {
    const status = toStatus(invalidField("namespace", "is wrong"));
    assert.equal(status.code, 3);
    assert.equal(status.message, "namespace: is wrong");
    assert.deepEqual(status.details.map(shortName), ["ErrorInfo", "BadRequest"]);
    const [info, badRequest] = status.details.map(({ value }) => value);
    assert.deepEqual(ErrorInfo.decode(info as Buffer), {
      reason: "INVALID_REQUEST",
      domain: "compilecache",
      metadata: {},
    });
    const [violation] = BadRequest.decode(badRequest as Buffer).fieldViolations;
    assert.equal(violation?.field, "namespace");
    assert.equal(violation?.description, "is wrong");
  });

  test("has no details when the call was cancelled or came too late", () => {
    assert.deepEqual(toStatus(new CacheError("CANCELLED", "gone")).details, []);
    assert.deepEqual(toStatus(new CacheError("DEADLINE_EXCEEDED", "late")).details, []);
  });
});

describe("toServiceError", () => {
  test("shows nothing of an error that is no CacheError", () => {
    const error = toServiceError(new TypeError("secret /path"));
    assert.equal(error.code, 13);
    assert.equal(error.details, "internal error; the daemon's log has the cause");
    const [encoded] = error.metadata.get("grpc-status-details-bin");
    assert.ok(!(encoded as Buffer).includes("secret"));
  });

  test("stays below the 8 KiB of metadata that clients take, and well-formed", () => {
    const violations = Array.from({ length: 500 }, (_, n) => ({
      field: `environment.extra["${"\u{1F600}".repeat(300)}${n}"]`,
      description: "x\u{1F600}".repeat(1000),
    }));
    const message = violations.map(({ description }) => description).join("; ");
    const error = toServiceError(new CacheError("INVALID_REQUEST", message, { violations }));
    const [encoded] = error.metadata.get("grpc-status-details-bin");
    const onTheWire =
      encodeURI(error.details).length + (encoded as Buffer).toString("base64").length;
    assert.ok(onTheWire < 7 * 1024, `${onTheWire} bytes`);
    assert.ok(Status.decode(encoded as Buffer).details.length === 2);
  });
});
