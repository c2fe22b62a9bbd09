/** A read replica of which supabase-js is not a part: what it is asked, and which of its answers are taken. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { type Least, PATIENCE_MS, queryOf, REST_MS } from "../src/replica.ts";
import { remoteOf, ROOMS_PER_URL } from "../src/remote.ts";
import { ME, ROOM } from "./fakes.ts";

/** What the replica does with the next requests; the last one goes on. */
let does: ((url: string, signal: AbortSignal) => Promise<Response>)[];
let asked: string[];
let primary: string[];

beforeEach(() => {
  vi.useFakeTimers();
  does = [];
  asked = [];
  primary = [];
});
afterEach(() => vi.useRealTimers());

const json = (value: unknown, status = 200) => async () =>
  new Response(JSON.stringify(value), { status });
const behind = json({ code: "PT503", message: "replica_behind" }, 503);
const gone = async () => {
  throw new TypeError("Failed to fetch");
};
const silent = (_: string, signal: AbortSignal) =>
  new Promise<Response>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
/** Begins to answer and stops. */
const stuck = async (_: string, signal: AbortSignal) =>
  new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
        signal.addEventListener("abort", () => controller.error(signal.reason));
      },
    }),
  );

function answer(to: number, more: object = {}) {
  const room = { room_id: ROOM, from: 1, to, rows: {}, reset: false };
  const user = { from: 7, to: 7, rows: {}, dropped_rooms: [] };
  return { timeline: "first", user, rooms: [room], profiles: [], more: false, seen: null, ...more };
}

const page = (owners: object[], more: boolean, timeline = "first") => ({ timeline, owners, more });

const heads = (rev: number, timeline = "first") => ({
  version: "0.1.0",
  lowest_client: "0.1.0",
  timeline,
  user: { rev: 7, epoch: 1 },
  rooms: [{ room_id: ROOM, rev, epoch: 1 }],
});

function fetching(url: string, { signal }: { signal: AbortSignal }) {
  asked.push(url);
  const [first] = does;
  if (does.length > 1) does.shift();
  return first!(url, signal);
}

const session = { user: { id: ME }, access_token: "token" };
const remote = () =>
  remoteOf(
    {
      auth: { getSession: async () => ({ data: { session }, error: null }) },
      schema: () => ({
        fetch: fetching,
        rpc: (name: string) => ({
          setHeader() {
            return this;
          },
          abortSignal: async () => {
            primary.push(name);
            const data = { list_heads: heads(9), pull_table: page([], true) }[name] ?? answer(9);
            return { data, error: null, status: 200 };
          },
        }),
      }),
    } as unknown as SupabaseClient,
    ME,
    "http://replica/",
  );

const known = (rev: number): Least => new Map([[null, 7], [ROOM, rev]]);
const cursor = {
  timeline: "first",
  user: 7,
  rooms: new Map([[ROOM, 1]]),
  first: new Map(),
  seen: null,
};
async function pull(here: ReturnType<typeof remote>, least: Least) {
  const pulling = here.pull(cursor, 200, 1000, least);
  await vi.advanceTimersByTimeAsync(2 * PATIENCE_MS);
  return (await pulling).rooms[0]?.to;
}

test("a pull is asked of the replica with its cursor as JSON", async () => {
  does = [json(answer(5))];
  expect(await pull(remote(), known(5))).toBe(5);
  expect(primary).toEqual([]);
  const url = new URL(asked[0]!);
  expect(url.origin + url.pathname).toBe("http://replica/rest/v1/rpc/pull_changes");
  expect(JSON.parse(url.searchParams.get("cursor")!)).toMatchObject({
    user: 7,
    rooms: { [ROOM]: 1 },
  });
});

test("a pull is repeated until the replica has the number that was told", async () => {
  does = [json(answer(4)), behind, json(answer(5))];
  expect(await pull(remote(), known(5))).toBe(5);
  expect(asked.length).toBe(3);
  expect(primary).toEqual([]);
});

test.each([
  ["is behind", json(answer(4))],
  ["says that it is behind", behind],
  ["is gone", gone],
  ["is silent", silent],
  ["stops within an answer", stuck],
  ["is out of order", json({ message: "out of order" }, 500)],
  ["answers nonsense", json("nonsense")],
  ["is of another history", json(answer(9, { timeline: "second", user: null }))],
])("the primary answers where the replica %s, and the replica is left alone", async (_, act) => {
  does = [act];
  const here = remote();
  expect(await pull(here, known(5))).toBe(9);
  const count = asked.length;
  expect(await pull(here, known(5))).toBe(9);
  expect(primary.length).toBe(2);
  expect(asked.length).toBe(count);
  does = [json(answer(6))];
  await vi.advanceTimersByTimeAsync(REST_MS);
  expect(await pull(here, known(5))).toBe(6);
});

test("a slow answer is waited for as long as it goes on", async () => {
  const parts = JSON.stringify(answer(5)).match(/.{1,20}/g)!;
  does = [async () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS / 2));
          const part = parts.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(part));
        },
      }),
    )];
  const pulling = remote().pull(cursor, 200, 1000, known(5));
  await vi.advanceTimersByTimeAsync(40 * PATIENCE_MS);
  expect((await pulling).rooms[0]?.to).toBe(5);
  expect(primary).toEqual([]);
});

test("heads come from the replica only where they may lag, and are not below what is known", async () => {
  does = [json(heads(5))];
  const here = remote();
  expect((await here.heads("first", null)).rooms.get(ROOM)?.rev).toBe(9);
  expect(asked).toEqual([]);
  expect((await here.heads("first", known(5))).rooms.get(ROOM)?.rev).toBe(5);
  const asking = here.heads("first", known(6));
  await vi.advanceTimersByTimeAsync(2 * PATIENCE_MS);
  expect((await asking).rooms.get(ROOM)?.rev).toBe(9);
});

describe("a page of a table", () => {
  const cursor = { timeline: "first", owners: { [ROOM]: { seen: "7:7:" } } };
  const going = page([{ owner_id: ROOM }], true);

  async function pullTable(mayLag: boolean, more: object = {}) {
    const pulling = remote().pullTable("public.payments", { ...cursor, ...more }, mayLag);
    await vi.advanceTimersByTimeAsync(2 * PATIENCE_MS);
    return pulling;
  }

  test.each([["that brings rows", going], ["without news", page([], false)]])(
    "%s comes from the replica where it may lag",
    async (_, found) => {
      does = [json(found)];
      expect(await pullTable(true)).toEqual(found);
      expect(primary).toEqual([]);
      const { pathname, searchParams } = new URL(asked[0]!);
      expect(pathname).toBe("/rest/v1/rpc/pull_table");
      expect(searchParams.get("name")).toBe("public.payments");
      expect(JSON.parse(searchParams.get("cursor")!)).toEqual(cursor);
    },
  );

  test("comes from the primary where it may not lag", async () => {
    does = [json(going)];
    await pullTable(false);
    expect(asked).toEqual([]);
    expect(primary).toEqual(["pull_table"]);
  });

  test("is waited for where the replica is behind", async () => {
    does = [behind, behind, json(going)];
    expect(await pullTable(true)).toEqual(going);
    expect(asked.length).toBe(3);
    expect(primary).toEqual([]);
  });

  test("comes from the primary at once where the replica says no more than that there is more", async () => {
    does = [json(page([], true))];
    const here = remote();
    await here.pullTable("public.payments", cursor, true);
    expect(primary).toEqual(["pull_table"]);
    // It is not left alone for that.
    await here.pullTable("public.payments", cursor, true);
    expect(asked.length).toBe(2);
  });

  test.each([
    ["is of another history", page([{ owner_id: ROOM }], true, "second")],
    ["makes no sense", { timeline: "first", owners: 7, more: false }],
  ])("comes from the primary where that of the replica %s", async (_, found) => {
    does = [json(found)];
    await pullTable(true);
    expect(asked.length).toBeGreaterThan(0);
    expect(primary).toEqual(["pull_table"]);
  });

  test("with a cursor that does not fit into a URL comes from the primary", async () => {
    does = [json(going)];
    await pullTable(true, { where: { status: "x".repeat(4096) } });
    expect(asked).toEqual([]);
    expect(primary).toEqual(["pull_table"]);
  });
});

test("a cursor that does not fit into a URL goes to the primary", async () => {
  does = [json(answer(5))];
  const rooms = new Map(
    Array.from({ length: 4 * ROOMS_PER_URL }, (_, place) => [
      `00000000-0000-4000-8000-${String(place).padStart(12, "0")}`,
      1,
    ]),
  );
  await remote().pull({ ...cursor, rooms }, 200, 1000, known(1));
  expect(asked).toEqual([]);
  expect(primary).toEqual(["pull_changes"]);
});

test.each([
  [{}, ""],
  [{ page_size: 5, before: null }, "?page_size=5"],
  [{ query: "a b&c=1" }, "?query=a%20b%26c%3D1"],
  [{ user_ids: [ME] }, `?user_ids={%22${ME}%22}`],
  [{ before: { pinned: true } }, "?before={%22pinned%22:true}"],
])("arguments (%#) are written as PostgREST reads them", (parameters, query) => {
  expect(queryOf(parameters)).toBe(query);
});
