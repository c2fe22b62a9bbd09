/** Requests to a server, of which supabase-js is all that is there. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { beforeEach, expect, test } from "vitest";

import { remoteOf } from "../src/remote.ts";
import { BOB, ME } from "./fakes.ts";

const NOT_GOOD = { code: "PGRST303", message: "JWT expired" };
const OUT_OF_REACH = { name: "AuthRetryableFetchError", message: "no network", status: 0 };

/** Whose session Auth has now, and after it was asked to renew it; an error in its place. */
let session: string | null | typeof OUT_OF_REACH;
let renewed: string | null | typeof OUT_OF_REACH;
/** What the API answers: an error, or nothing wrong. */
let refusals: (object | null)[];
let asked: number;

beforeEach(() => {
  session = renewed = ME;
  refusals = [];
  asked = 0;
});

function told(who: typeof session) {
  return who === null || typeof who === "string"
    ? { data: { session: who === null ? null : sessionOf(who) }, error: null }
    : { data: { session: null }, error: who };
}

const sessionOf = (id: string) => ({ user: { id }, access_token: `token of ${id}` });
const rpc = () => ({
  setHeader(name: string, value: string) {
    expect([name, value]).toEqual(["Authorization", `Bearer token of ${ME}`]);
    return this;
  },
  abortSignal: async () => {
    asked += 1;
    const error = refusals.shift() ?? null;
    return { data: error === null ? "done" : null, error, status: error === null ? 200 : 401 };
  },
});
const remote = remoteOf(
  {
    auth: { getSession: async () => told(session), refreshSession: async () => told(renewed) },
    schema: () => ({ rpc }),
  } as unknown as SupabaseClient,
  ME,
  null,
);

test("whoever is signed in asks once", async () => {
  expect(await remote.call("list_heads", {})).toBe("done");
  expect(asked).toBe(1);
});

test.each([
  ["nobody who signed out", null, "sign_in_required"],
  ["nobody as somebody else who signed in", BOB, "sign_in_required"],
  ["nobody while Auth is out of reach", OUT_OF_REACH, "unreachable"],
])("a request is sent by %s", async (_, who, slug) => {
  session = who;
  await expect(remote.call("list_heads", {})).rejects.toMatchObject({ slug });
  expect(asked).toBe(0);
});

test("a token that is not good any more is renewed once", async () => {
  refusals = [NOT_GOOD];
  expect(await remote.call("list_heads", {})).toBe("done");
  refusals = [NOT_GOOD, NOT_GOOD];
  await expect(remote.call("list_heads", {})).rejects.toMatchObject({ slug: "sign_in_required" });
  expect(asked).toBe(4);
});

test.each([
  [null, "sign_in_required"],
  [BOB, "sign_in_required"],
  [OUT_OF_REACH, "unreachable"],
])("a session that cannot be renewed (%#) sends nothing twice", async (who, slug) => {
  refusals = [NOT_GOOD];
  renewed = who;
  await expect(remote.call("list_heads", {})).rejects.toMatchObject({ slug });
  expect(asked).toBe(1);
});
