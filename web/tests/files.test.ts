/** Files, with a Storage of which supabase-js and XMLHttpRequest are all that is there. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { download, upload } from "../src/files.ts";

type Bucket = Parameters<typeof upload>[0];

/** What is in the folder, what Storage answers to a file, and how far it is told to be on the way. */
let there: string[];
let answer: { status: number; text: string };
const progress = [40, 100];
let posted: { url: string; headers: Record<string, string>; body: Blob }[];

class FakeRequest {
  readonly upload: { onprogress?: (event: { loaded: number }) => void } = {};
  readonly headers: Record<string, string> = {};
  onload?: () => void;
  onerror?: () => void;
  status = 0;
  responseText = "";
  url = "";

  open(_: string, url: string) {
    this.url = url;
  }

  setRequestHeader(name: string, value: string) {
    this.headers[name] = value;
  }

  send(body: Blob) {
    posted.push({ url: this.url, headers: this.headers, body });
    for (const loaded of progress) this.upload.onprogress?.({ loaded });
    [this.status, this.responseText] = [answer.status, answer.text];
    if (answer.status === 0) this.onerror?.();
    else this.onload?.();
  }
}

let refused: { message: string; status: number } | null;
const bucket = {
  list: async () => ({ data: there.map((name) => ({ name })), error: null }),
  getPublicUrl: (path: string) => ({
    data: { publicUrl: `https://x.supabase.co/storage/v1/object/public/files/${path}` },
  }),
  download: async (_: string, options?: object) =>
    options === undefined && refused === null
      ? { data: "the file", error: null }
      : { data: null, error: refused ?? { message: "no transformations here", status: 400 } },
} as unknown as Bucket;

beforeEach(() => {
  there = [];
  answer = { status: 200, text: "{}" };
  posted = [];
  refused = null;
  vi.stubGlobal("XMLHttpRequest", FakeRequest);
});
afterEach(() => void vi.unstubAllGlobals());

async function send(): Promise<number[]> {
  const told: number[] = [];
  const freight = { mimeType: "image/png", authorization: "Bearer mine" };
  const tell = (sent: number) => void told.push(sent);
  await upload(bucket, "room/uuid/a b.png", new Blob(["x".repeat(100)]), { ...freight, tell });
  return told;
}

test("a file is posted as its account, and tells how far it is", async () => {
  expect(await send()).toEqual(progress);
  expect(posted).toMatchObject([{
    url: "https://x.supabase.co/storage/v1/object/files/room/uuid/a b.png",
    headers: { Authorization: "Bearer mine", "Content-Type": "image/png" },
  }]);
});

test("a file that is there is not sent again", async () => {
  there = ["a b.png"];
  await send();
  expect(posted).toEqual([]);
  there = ["another a b.png"];
  answer = { status: 400, text: `{"statusCode": "409", "message": "The resource exists"}` };
  await send();
  expect(posted).toHaveLength(1);
});

test.each([
  [0, "", "unreachable"],
  [413, `{"message": "too large"}`, "payload_too_large"],
  [400, `{"statusCode": "403", "message": "row-level security"}`, "not_allowed"],
  [400, `{"statusCode": "403", "message": "jwt expired"}`, "sign_in_required"],
  [502, "<h1>Bad gateway</h1>", "api_error"],
])("an answer with status %i and %j is an error", async (status, text, slug) => {
  answer = { status, text };
  await expect(send()).rejects.toMatchObject({ slug });
});

test("an image comes as it is where the project makes none smaller", async () => {
  expect(await download(bucket, "room/uuid/a.png", 200)).toBe("the file");
  refused = { message: "Object not found", status: 400 };
  const absent = download(bucket, "room/uuid/a.png", null);
  await expect(absent).rejects.toMatchObject({ slug: "file_not_found" });
});
