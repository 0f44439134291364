import { randomBytes } from "node:crypto";
import type { AnswerFault, PassingCall, RawAnswer } from "./faulty-s3.ts";

const statuses = [
  200, 204, 206, 301, 307, 400, 403, 404, 409, 412, 416, 429, 500, 501, 503,
] as const;

/** What S3 says with a status, where its answer is an error. */
const codes: Record<number, string> = {
  301: "PermanentRedirect",
  307: "TemporaryRedirect",
  400: "InvalidArgument",
  403: "AccessDenied",
  404: "NoSuchKey",
  409: "OperationAborted",
  412: "PreconditionFailed",
  416: "InvalidRange",
  429: "SlowDown",
  500: "InternalError",
  501: "NotImplemented",
  503: "ServiceUnavailable",
};

const html = Buffer.from(
  "<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Welcome<br></body></html>",
);
const xhtml = Buffer.from(
  "<html><head><title>Sign in</title></head><body><p>Welcome</p></body></html>",
);
const json = Buffer.from('{"message":"ok"}');

/** An answer with another body, of its own length. */
function withBody(right: RawAnswer, body: Buffer, type: string, status = right.status): RawAnswer {
  const headers = { ...right.headers, "content-type": type, "content-length": `${body.length}` };
  return { status, headers: status === 204 ? without(headers, "content-length") : headers, body };
}

function without<T>(headers: Readonly<Record<string, T>>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name));
}

function document(status: number, { key }: PassingCall): Buffer {
  const code = codes[status];
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>a fault</Message><Key>${key}</Key></Error>`,
  );
}

/** Answers that are no more than a status and, for an error, what S3 writes with it. */
function statusFaults(asksServer: boolean): AnswerFault[] {
  const how = asksServer ? "done, and answered" : "answered";
  return statuses.flatMap((status): AnswerFault[] => [
    {
      name: `${how} ${status}`,
      asksServer,
      wrong: (right, call) => {
        const body = codes[status] ? document(status, call) : Buffer.alloc(0);
        return withBody({ ...right, headers: {} }, body, "application/xml", status);
      },
    },
    {
      name: `${how} ${status} with a page`,
      asksServer,
      wrong: (right) =>
        withBody({ ...right, headers: {} }, status % 2 ? html : xhtml, "text/html", status),
    },
  ]);
}

/** Changes one header of a right answer; an answer without it stays right. */
function headerFault(
  name: string,
  what: string,
  change: (value: string) => string | undefined,
): AnswerFault {
  return {
    name: `${what} ${name}`,
    asksServer: true,
    wrong(right) {
      const value = right.headers[name];
      if (value === undefined) return right;
      const changed = change(value);
      const headers = without(right.headers, name);
      return {
        ...right,
        headers: changed === undefined ? headers : { ...headers, [name]: changed },
      };
    },
  };
}

/** Changes the text of a right answer in XML. */
function fieldFault(name: string, pattern: RegExp, replacement: string): AnswerFault {
  return {
    name,
    asksServer: true,
    wrong(right) {
      if (!/xml/.test(right.headers["content-type"] ?? "")) return right;
      const body = Buffer.from(right.body.toString().replace(pattern, replacement));
      return withBody(right, body, "application/xml");
    },
  };
}

const pretended = (call: PassingCall): string =>
  ({
    CreateMultipartUpload:
      "<InitiateMultipartUploadResult><UploadId>none</UploadId></InitiateMultipartUploadResult>",
    CompleteMultipartUpload: `<CompleteMultipartUploadResult><ETag>"none"</ETag></CompleteMultipartUploadResult>`,
    CopyObject: `<CopyObjectResult><ETag>"none"</ETag></CopyObjectResult>`,
    ListObjectsV2: `<ListBucketResult><Name>${call.bucket}</Name><IsTruncated>false</IsTruncated></ListBucketResult>`,
  })[call.operation] ?? "";

const otherFaults: AnswerFault[] = [
  {
    name: "success that is not one",
    asksServer: false,
    // To a listing or a read it would be a well-formed lie, which nothing can tell from the truth.
    wrong: (right, call) =>
      /^(List|Get|Head)/.test(call.operation)
        ? { status: 503, headers: {}, body: Buffer.alloc(0) }
        : {
            status: /^(Delete|Abort)/.test(call.operation) ? 204 : 200,
            headers: { ...right.headers, etag: '"none"', "content-type": "application/xml" },
            body: Buffer.from(pretended(call)),
          },
  },
  {
    name: "200 with a page",
    asksServer: true,
    wrong: (right) => withBody(right, html, "text/html", 200),
  },
  {
    name: "a page in place of the body",
    asksServer: true,
    wrong: (right) => withBody(right, xhtml, "text/html"),
  },
  {
    name: "JSON in place of the body",
    asksServer: true,
    wrong: (right) => withBody(right, json, "application/json"),
  },
  {
    name: "an empty body",
    asksServer: true,
    wrong: (right) => withBody(right, Buffer.alloc(0), "application/xml"),
  },
  {
    name: "an error within 200",
    asksServer: true,
    wrong: (right, call) => withBody(right, document(500, call), "application/xml", 200),
  },
  {
    name: "the whole object to a range",
    asksServer: true,
    wrong: (right) =>
      right.status === 206
        ? { ...right, status: 200, headers: without(right.headers, "content-range") }
        : right,
  },
  {
    name: "other bytes",
    asksServer: true,
    wrong: (right) => ({ ...right, body: randomBytes(right.body.length) }),
  },
  {
    name: "a body cut short",
    asksServer: true,
    wrong: (right) => ({ ...right, brokenAfter: Math.floor(right.body.length / 2) }),
  },
  {
    name: "a shorter body of its own length",
    asksServer: true,
    wrong: (right) =>
      withBody(
        right,
        right.body.subarray(0, right.body.length / 2),
        right.headers["content-type"] ?? "",
      ),
  },
  {
    name: "a longer body of its own length",
    asksServer: true,
    wrong: (right) =>
      withBody(right, Buffer.concat([right.body, html]), right.headers["content-type"] ?? ""),
  },
  {
    name: "more bytes than announced",
    asksServer: true,
    wrong: (right) => ({ ...right, body: Buffer.concat([right.body, html]) }),
  },
  { name: "a slow body", asksServer: true, wrong: (right) => ({ ...right, stopsMs: 300 }) },
  { name: "a connection broken before the call", asksServer: false, wrong: () => undefined },
  { name: "a connection broken after the call", asksServer: true, wrong: () => undefined },
  {
    name: "a redirect to another region",
    asksServer: false,
    wrong: (_right, call) => ({
      status: 301,
      headers: { "x-amz-bucket-region": "eu-north-1", location: "http://127.0.0.1:9/" },
      body: document(301, call),
    }),
  },
  headerFault("etag", "no", () => undefined),
  headerFault("etag", "another", () => '"0123456789abcdef0123456789abcdef"'),
  headerFault("content-length", "no", () => undefined),
  headerFault("content-length", "a smaller", (value) => `${Math.max(0, Number(value) - 7)}`),
  headerFault("content-range", "no", () => undefined),
  headerFault("content-range", "a shifted", (value) =>
    value.replace(/(\d+)-(\d+)/, (_, a, b) => `${Number(a) + 1}-${Number(b) + 1}`),
  ),
  headerFault("content-range", "a larger total in", (value) =>
    value.replace(/\d+$/, (n) => `${Number(n) * 2}`),
  ),
  headerFault("content-range", "another object's", (value) =>
    value.replace(
      /(\d+)-(\d+)\/(\d+)/,
      (_, a, b, n) => `${Number(a) + 9}-${Number(b) + 9}/${Number(n) + 9}`,
    ),
  ),
  headerFault("last-modified", "no", () => undefined),
  headerFault("last-modified", "a senseless", () => "yesterday"),
  headerFault("last-modified", "an old", () => "Thu, 01 Jan 1970 00:00:01 GMT"),
  headerFault("x-amz-meta-compilecache-owner", "no", () => undefined),
  headerFault("x-amz-meta-compilecache-owner", "another", () => "0123456789ab"),
  fieldFault("no UploadId", /<UploadId>.*?<\/UploadId>/g, ""),
  fieldFault("another UploadId", /<UploadId>.*?<\/UploadId>/g, "<UploadId>none</UploadId>"),
  fieldFault("no ETag field", /<ETag>.*?<\/ETag>/g, ""),
  fieldFault("another ETag field", /<ETag>.*?<\/ETag>/g, "<ETag>none</ETag>"),
  fieldFault("no Name", /<Name>.*?<\/Name>/g, ""),
  fieldFault("no IsTruncated", /<IsTruncated>.*?<\/IsTruncated>/g, ""),
  fieldFault(
    "truncated without an end",
    /<IsTruncated>.*?<\/IsTruncated>/g,
    "<IsTruncated>true</IsTruncated>",
  ),
  fieldFault("keys of another prefix", /<Key>/g, "<Key>elsewhere/"),
  fieldFault("no Key", /<Key>.*?<\/Key>/g, ""),
  fieldFault("no Size", /<Size>.*?<\/Size>/g, ""),
];

/** Every way in which an answer is made wrong. */
export const answerFaults: readonly AnswerFault[] = [
  ...statusFaults(false),
  ...statusFaults(true),
  ...otherFaults,
];
