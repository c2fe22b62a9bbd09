import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { ParleyError } from "../src/errors.ts";
import { openIndexedDb } from "../src/storage/indexeddb.ts";
import { openMemory } from "../src/storage/memory.ts";
import { readStep } from "../src/steps.ts";
import type { Storage } from "../src/storage/storage.ts";
import { Store } from "../src/store.ts";
import { forgetTables } from "../src/table_drops.ts";
import { TablePuller } from "../src/table_puller.ts";
import { readProgress, readRow, readRows, tenantsOf } from "../src/table_reads.ts";
import type { TableChange, TableOptions } from "../src/table_types.ts";
import type { Change } from "../src/types.ts";
import { ownStep } from "./fakes.ts";
import { FakeTable, ME, NAME, NORTH, payment, SOUTH } from "./table_fakes.ts";

const ends: AbortController[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
  vi.useRealTimers();
});

/** A copy with one table of an app. */
async function copyOf(server: FakeTable, options: Partial<TableOptions> = {}, storage?: Storage) {
  const store = new Store(storage ?? (await openMemory("")), ME);
  await store.begin();
  const end = new AbortController();
  ends.push(end);
  const changes: TableChange[] = [];
  const troubles: (ParleyError | null)[] = [];
  const told = {
    emit: (some: readonly Change[]) =>
      changes.push(...some.flatMap(({ table }) => table === null ? [] : [table])),
    owners: () => undefined,
    trouble: (error: ParleyError | null) => troubles.push(error),
  };
  const wanted = { name: NAME, ...options } as TableOptions;
  const puller = new TablePuller(store, server, wanted, told, () => 0, end.signal);
  const read = store.storage;
  return {
    store,
    puller,
    changes,
    troubles,
    rows: (where = {}) => read.read((tx) => readRows(tx, NAME, where)),
    ids: async (where = {}) =>
      (await read.read((tx) => readRows(tx, NAME, where))).map((row) => row["id"]),
    get: (key: never) => read.read((tx) => readRow(tx, NAME, key)),
    progress: () => read.read((tx) => readProgress(tx, NAME)),
    tenants: () => read.read(tenantsOf),
    run: () => void puller.run().catch(() => undefined),
  };
}

describe.each([
  ["memory", openMemory],
  ["IndexedDB", openIndexedDb],
])("a table in %s", (_, open) => {
  let storage: Storage;
  beforeEach(async () => {
    storage = await open(crypto.randomUUID());
  });
  afterEach(() => storage.destroy());

  test("has the rows of the server in the order of their keys, and finds them by key", async () => {
    const server = new FakeTable(payment(10), payment(2), payment(1, { tenant_id: SOUTH }));
    const copy = await copyOf(server, {}, storage);
    await copy.puller.sync();
    expect(await copy.ids()).toEqual([1, 2, 10]);
    expect(await copy.get(2 as never)).toEqual(payment(2));
    expect(await copy.get(3 as never)).toBeNull();
    expect(copy.changes).toEqual([
      { name: NAME, keys: [10, 2, 1], is_fresh: true, fault: null },
    ]);
    expect(await copy.tenants()).toEqual([NORTH, SOUTH]);
  });

  test.each([[[]], [["status"]], [["amount", "status"]]])(
    "reads rows that equal something, with entries for %j",
    async (indexes) => {
      const server = new FakeTable(
        payment(1),
        payment(2, { status: "paid" }),
        payment(3, { status: null }),
        payment(4, { status: "late", amount: 10 }),
        payment(5, { status: "1", amount: null }),
      );
      const copy = await copyOf(server, { indexes } as never, storage);
      await copy.puller.sync();
      expect(await copy.ids({ status: "open" })).toEqual([1]);
      expect(await copy.ids({ status: ["paid", "open", "open"] })).toEqual([1, 2]);
      expect(await copy.ids({ status: null })).toEqual([3]);
      expect(await copy.ids({ amount: 10 })).toEqual([1, 4]);
      expect(await copy.ids({ amount: 10, status: "late" })).toEqual([4]);
      expect(await copy.ids({ status: 1 })).toEqual([]);
      expect(await copy.ids({ status: undefined })).toEqual([1, 2, 3, 4, 5]);
      expect(await copy.ids({ status: [] })).toEqual([]);
      expect(await copy.ids({ colour: "red" })).toEqual([]);
      server.put(payment(1, { status: "paid" }));
      await copy.puller.sync();
      expect(await copy.ids({ status: "open" })).toEqual([]);
      expect(await copy.ids({ status: "paid" })).toEqual([1, 2]);
    },
  );

  test.each([
    [["id"], [], { id: 1 }, [1], 1],
    [["id"], [], { id: [10, 1, 1] }, [1, 10], 2],
    [["id"], ["amount"], { amount: 1, id: 1 }, [1], 1],
    [["id"], [], { id: 1, status: "b" }, [], 1],
    [["id"], [], { id: "1" }, [], 0],
    [["amount", "id"], [], { amount: 1 }, [1, 11], 2],
    [["status", "id"], [], { status: "a" }, [1], 1],
    [["status", "id"], [], { status: ['a","', "b"] }, [2, 11], 2],
    [["amount", "id"], ["status"], { amount: 1, status: "b" }, [11], 1],
    [["id"], ["status", "amount"], { amount: 1, status: "b" }, [11], 1],
    [["id"], ["amount", "status"], { amount: 1, status: "b" }, [11], 2],
    [["id"], [], { amount: 1 }, [1, 11], 5],
    [["amount", "id"], [], { id: 1 }, [1], 5],
  ])("with the key %j and indexes %j, finds for %j the rows %j, and looks at %i", async (
    key,
    indexes,
    where,
    ids,
    among,
  ) => {
    const server = new FakeTable();
    server.key = key;
    server.put(payment(1, { status: "a", amount: 1 }));
    server.put(payment(2, { status: 'a","', amount: 10 }));
    server.put(payment(7, { status: "ab", amount: 100 }));
    server.put(payment(10, { status: "", amount: -1 }));
    server.put(payment(11, { status: "b", amount: 1 }));
    const copy = await copyOf(server, { indexes } as never, storage);
    await copy.puller.sync();
    const found: unknown[] = [];
    const rows = await storage.read((tx) =>
      readRows(
        {
          ...tx,
          async list(table, range, most) {
            const records = await tx.list(table, range, most);
            if (table === "table_rows") found.push(...records);
            return records;
          },
          async rowsWith(range, most) {
            const records = await tx.rowsWith(range, most);
            found.push(...records);
            return records;
          },
        },
        NAME,
        where,
      )
    );
    expect(rows.map((row) => row["id"])).toEqual(ids);
    expect(found).toHaveLength(among);
  });

  test("applies what changed, went and moved between two owners of one person", async () => {
    const server = new FakeTable(payment(1), payment(2), payment(3, { tenant_id: SOUTH }));
    const copy = await copyOf(server, {}, storage);
    await copy.puller.sync();
    server.put(payment(1, { status: "paid" }));
    server.remove(payment(2));
    // It moves, and the owner that it came from is told first, and last.
    server.put(payment(1, { tenant_id: SOUTH }));
    server.remove(payment(1));
    await copy.puller.sync();
    expect(await copy.rows()).toEqual([
      payment(1, { tenant_id: SOUTH }),
      payment(3, { tenant_id: SOUTH }),
    ]);
    server.notes.delete(SOUTH);
    await copy.puller.sync();
    expect(await copy.ids()).toEqual([]);
    expect(copy.changes.at(-1)).toMatchObject({ is_fresh: true });
  });

  test("gives up the rows of a tenant in the transaction that says this person left it", async () => {
    const server = new FakeTable(payment(1), payment(2, { tenant_id: SOUTH }));
    const copy = await copyOf(server, {}, storage);
    await copy.puller.sync();
    await copy.store.applyAnswer(
      { timeline: null, user: null, rooms: new Map(), first: new Map() },
      await server.pull({ timeline: null, user: null, rooms: new Map(), first: new Map() }),
    );
    const step = readStep(ownStep(1, 2, { memberships: [] }, { dropped_tenants: [SOUTH] }));
    // What was asked before that brings nothing back.
    server.put(payment(3, { tenant_id: SOUTH }));
    server.meanwhile = async () => {
      server.meanwhile = async () => undefined;
      server.notes.delete(SOUTH);
      expect(await copy.store.applyStep(step!)).not.toBeNull();
      expect(await copy.ids()).toEqual([1]);
    };
    await copy.puller.sync();
    expect(await copy.ids()).toEqual([1]);
    expect(await copy.tenants()).toEqual([NORTH]);
  });

  test("begins anew with what is there in another history, owner by owner", async () => {
    const server = new FakeTable(payment(1), payment(2, { tenant_id: SOUTH }));
    const copy = await copyOf(server, {}, storage);
    await copy.puller.sync();
    server.tableTimeline = "second";
    server.notes.set(NORTH, []);
    server.put(payment(7));
    server.notes.delete(SOUTH);
    await copy.puller.sync();
    expect(server.cursors.at(-1)).toMatchObject({ timeline: "first" });
    expect(await copy.ids()).toEqual([7]);
    await copy.puller.sync();
    expect(server.cursors.at(-1)).toMatchObject({ timeline: "second", owners: { [NORTH]: {} } });
  });

  test("is made for other indexes without asking for rows again", async () => {
    const server = new FakeTable(payment(1), payment(2, { status: "paid" }));
    await (await copyOf(server, {}, storage)).puller.sync();
    const copy = await copyOf(server, { indexes: ["status"] } as never, storage);
    server.trouble = new ParleyError("unreachable", "Nobody is there.");
    await expect(copy.puller.sync()).rejects.toThrow("Nobody is there.");
    expect(await copy.ids({ status: "paid" })).toEqual([2]);
    expect((await storage.read((tx) => tx.get("tables", NAME)))?.indexes).toEqual(["status"]);
  });

  test("leaves with all its rows when the app does not name it any more", async () => {
    const copy = await copyOf(new FakeTable(payment(1)), {}, storage);
    await copy.puller.sync();
    await copy.store.write((draft) => forgetTables(draft.tx, [NAME]));
    expect(await copy.ids()).toEqual([1]);
    await copy.store.write((draft) => forgetTables(draft.tx, []));
    const left = await storage.read(async (tx) => [
      await tx.count("tables"),
      await tx.count("table_owners"),
      await tx.count("table_rows"),
    ]);
    expect(left).toEqual([0, 0, 0]);
  });

  test("lets go of rows that have grown too old, and asks for younger ones only", async () => {
    const at = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
    const server = new FakeTable(
      payment(1, { paid_at: at(1) }),
      payment(2, { paid_at: at(9) }),
      payment(3, { paid_at: at(11) }),
    );
    const newest = { column: "paid_at", days: 10 };
    const copy = await copyOf(server, { newest } as never, storage);
    await copy.puller.sync();
    expect(server.cursors[0]).toMatchObject({ newest });
    copy.puller.want();
    await copy.puller.sync();
    expect(await copy.ids()).toEqual([1, 2]);
    expect(copy.changes.at(-1)).toEqual({ name: NAME, keys: [3], is_fresh: false, fault: null });
  });
});

test("a first fetch comes in pages that say how far it is", async () => {
  const server = new FakeTable(...Array.from({ length: 25 }, (_, at) => payment(at + 1)));
  server.pageSize = 10;
  const copy = await copyOf(server);
  const seen: unknown[] = [];
  server.meanwhile = async () => void seen.push(await copy.progress());
  await copy.puller.sync();
  seen.push(await copy.progress());
  const fault = null;
  expect(seen).toEqual([
    { fetched: 0, about: 0, is_done: false, fault },
    { fetched: 10, about: 25, is_done: false, fault },
    { fetched: 20, about: 25, is_done: false, fault },
    // Something may have changed since the first page.
    { fetched: 25, about: 25, is_done: false, fault },
    { fetched: 25, about: 25, is_done: true, fault },
  ]);
});

test("a key of several columns is an object", async () => {
  const server = new FakeTable();
  server.key = ["tenant_id", "id"];
  server.put(payment(2));
  server.put(payment(1));
  const copy = await copyOf(server);
  await copy.puller.sync();
  expect(await copy.ids()).toEqual([1, 2]);
  const key = { tenant_id: NORTH, id: 2 };
  expect(await copy.get(key as never)).toEqual(payment(2));
  expect(copy.changes[0]?.keys[0]).toEqual(key);
});

test.each(["2026-11-21T10:00:00", "2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00.000001+00:00"])(
  "a row grows old by %s as the server reads it, wherever the device is",
  async (paid_at) => {
    vi.useFakeTimers({ now: Date.parse("2026-11-22T09:59:59Z"), toFake: ["Date"] });
    const newest = { column: "paid_at", days: 1 };
    const copy = await copyOf(new FakeTable(payment(1, { paid_at })), { newest } as never);
    await copy.puller.sync();
    const look = async () => {
      copy.puller.want();
      await copy.puller.sync();
      return copy.ids();
    };
    expect(await look()).toEqual([1]);
    vi.setSystemTime(Date.parse("2026-11-22T10:00:01Z"));
    expect(await look()).toEqual([]);
  },
);

test("another subset replaces the rows that are here", async () => {
  const server = new FakeTable(payment(1), payment(2, { status: "paid" }));
  const storage = await openMemory("");
  const first = await copyOf(server, { where: { status: "open" } } as never, storage);
  await first.puller.sync();
  expect(await first.ids()).toEqual([1]);
  const second = await copyOf(server, { where: { status: ["paid"] } } as never, storage);
  server.meanwhile = async () => expect(await second.progress()).toMatchObject({ is_done: false });
  await second.puller.sync();
  expect(await second.progress()).toMatchObject({ is_done: true });
  expect(await second.ids()).toEqual([2]);
});

test("a pull that was told of something and brings nothing is repeated once", async () => {
  vi.useFakeTimers();
  const server = new FakeTable(payment(1));
  const copy = await copyOf(server);
  copy.run();
  await vi.advanceTimersByTimeAsync(1000);
  expect(server.cursors).toHaveLength(1);
  server.put(payment(2));
  server.hiddenNotes = 1;
  copy.puller.want(true);
  await vi.advanceTimersByTimeAsync(50);
  expect(await copy.ids()).toEqual([1]);
  server.hiddenNotes = 0;
  await vi.advanceTimersByTimeAsync(500);
  expect(await copy.ids()).toEqual([1, 2]);
  expect(server.cursors).toHaveLength(3);
  copy.puller.want(true);
  await vi.advanceTimersByTimeAsync(5000);
  expect(server.cursors).toHaveLength(5);
});

test("what is told while a pull is under way makes one more, however often it is told", async () => {
  vi.useFakeTimers();
  const server = new FakeTable(payment(1));
  const copy = await copyOf(server);
  server.meanwhile = async () => {
    server.meanwhile = async () => undefined;
    for (let times = 0; times < 100; times += 1) copy.puller.want(true);
    server.put(payment(2));
  };
  copy.run();
  await vi.advanceTimersByTimeAsync(1000);
  expect(await copy.ids()).toEqual([1, 2]);
  expect(server.cursors).toHaveLength(2);
});

describe("a read replica", () => {
  beforeEach(() => void vi.useFakeTimers());

  /** A copy that is kept in step, and has four rows. */
  async function inStep() {
    const server = new FakeTable(...[1, 2, 3, 4].map((id) => payment(id)));
    const copy = await copyOf(server);
    copy.run();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await copy.ids()).toEqual([1, 2, 3, 4]);
    server.late.length = 0;
    return { server, copy };
  }

  test("goes on with a first fetch that begins and ends at the primary", async () => {
    const server = new FakeTable(...[1, 2, 3, 4, 5, 6].map((id) => payment(id)));
    server.pageSize = 2;
    const copy = await copyOf(server);
    await copy.puller.sync();
    expect(await copy.ids()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(server.late).toEqual([false, true, true, false]);
  });

  test("waits where an owner begins on the page on which another ends", async () => {
    const server = new FakeTable();
    for (const id of [1, 2, 3]) server.put(payment(id));
    for (const id of [4, 5, 6]) server.put(payment(id, { tenant_id: SOUTH }));
    server.pageSize = 2;
    const copy = await copyOf(server);
    await copy.puller.sync();
    expect(await copy.ids()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(server.late).toEqual([false, true, false, false]);
  });

  test("may answer what is asked because of the time", async () => {
    const { server, copy } = await inStep();
    server.put(payment(5));
    copy.puller.want(false, true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await copy.ids()).toEqual([1, 2, 3, 4, 5]);
    expect(server.late).toEqual([true]);
  });

  test("does not go on with changes in several pages", async () => {
    const { server, copy } = await inStep();
    server.pageSize = 2;
    for (const id of [1, 2, 3]) server.put(payment(id, { status: "paid" }));
    copy.puller.want(false, true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await copy.ids({ status: "paid" })).toEqual([1, 2, 3]);
    expect(server.late).toEqual([true, false]);
  });

  test("answers nothing that was announced, before or while it is asked", async () => {
    const { server, copy } = await inStep();
    server.put(payment(5));
    copy.puller.want(false, true);
    copy.puller.want(true);
    copy.puller.want(false, true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await copy.ids()).toEqual([1, 2, 3, 4, 5]);
    expect(server.late).toEqual([false]);
    server.meanwhile = async () => {
      server.meanwhile = async () => undefined;
      server.put(payment(6));
      copy.puller.want(true);
    };
    copy.puller.want(false, true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await copy.ids()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(server.late).toEqual([false, true, false]);
  });

  test("answers no sync, and nothing that failed before", async () => {
    const { server, copy } = await inStep();
    server.trouble = new ParleyError("unreachable", "Nobody is there.");
    copy.puller.want(false, true);
    await vi.advanceTimersByTimeAsync(1000);
    server.trouble = null;
    await vi.advanceTimersByTimeAsync(5000);
    expect(server.late.slice(0, 2)).toEqual([true, false]);
    server.late.length = 0;
    copy.puller.want(false, true);
    await copy.puller.sync();
    expect(server.late).toContain(false);
  });
});

test("a table that the server refuses says why, and comes as soon as it may", async () => {
  vi.useFakeTimers();
  const server = new FakeTable(payment(1));
  server.trouble = new ParleyError("table_not_found", "There is no such table.");
  const copy = await copyOf(server);
  copy.run();
  await vi.advanceTimersByTimeAsync(100);
  expect(await copy.progress()).toMatchObject({ is_done: false, fault: "There is no such table." });
  expect(copy.changes).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(copy.changes).toHaveLength(1);
  expect(server.cursors.length).toBeLessThan(20);
  server.trouble = null;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await copy.ids()).toEqual([1]);
  expect(await copy.progress()).toMatchObject({ is_done: true, fault: null });
});

test("a full disk keeps the page before it, and is told until there is room again", async () => {
  vi.useFakeTimers();
  const storage = await openMemory("");
  let isFull = false;
  const disk: Storage = {
    ...storage,
    write: (work, isStrict) =>
      storage.write(async (tx) =>
        work({
          ...tx,
          put(table, record) {
            if (!isFull || table !== "table_rows") return tx.put(table, record);
            const cause = new DOMException("", "QuotaExceededError");
            throw new ParleyError("store_unusable", "It is full.", "", { cause });
          },
        }), isStrict),
  };
  const server = new FakeTable(...Array.from({ length: 20 }, (_, at) => payment(at + 1)));
  server.pageSize = 10;
  server.meanwhile = async () => void (isFull = server.cursors.length === 2);
  const copy = await copyOf(server, {}, disk);
  copy.run();
  await vi.advanceTimersByTimeAsync(100);
  expect(await copy.ids()).toHaveLength(10);
  expect(copy.troubles.at(-1)).toMatchObject({ slug: "store_unusable" });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await copy.ids()).toHaveLength(20);
  expect(copy.troubles.at(-1)).toBeNull();
});

test("a row that cannot be kept leaves its key and costs no other", async () => {
  const storage = await openMemory("");
  const picky: Storage = {
    ...storage,
    write: (work, isStrict) =>
      storage.write(async (tx) =>
        work({
          ...tx,
          async put(table, record) {
            const { row } = record as { row?: { id?: number } };
            if (table === "table_rows" && row?.id === 2) throw new RangeError("It is too deep.");
            await tx.put(table, record);
          },
        }), isStrict),
  };
  const copy = await copyOf(new FakeTable(payment(1), payment(2), payment(3)), {}, picky);
  await copy.puller.sync();
  expect(await copy.ids()).toEqual([1, 3]);
  expect(await copy.get(2 as never)).toBeNull();
});

test("lets nobody write who leads no more", async () => {
  const server = new FakeTable(payment(1));
  const copy = await copyOf(server);
  server.meanwhile = () => new Store(copy.store.storage, ME).begin();
  await expect(copy.puller.sync()).rejects.toThrow("another tab leads now");
  expect(await copy.ids()).toEqual([]);
});

const owner = (more: object) => ({
  owner_id: NORTH,
  reset: true,
  rows: [],
  gone: [],
  cursor: {},
  more: false,
  fetched: null,
  about: null,
  ...more,
});

test.each<[string, object]>([
  ["without a timeline", { timeline: null }],
  ["that does not say whether there is more", { more: "no" }],
  ["about another table", { table: { name: "public.secrets", owner: "tenant", key: ["id"] } }],
  ["about a table of nobody", { table: { name: NAME, owner: "all", key: ["id"] } }],
  ["about a table without a key", { table: { name: NAME, owner: "tenant", key: [] } }],
  ["about somebody else's rows", {
    table: { name: NAME, owner: "user", key: ["id"] },
    owners: [owner({})],
  }],
  ["with owners that are no list", { owners: {} }],
  ["with an owner twice", { owners: [owner({}), owner({})] }],
  ["with an owner without an id", { owners: [owner({ owner_id: "north" })] }],
  ["with an owner without a cursor", { owners: [owner({ cursor: null })] }],
  ["that goes on from what was not asked with", { owners: [owner({ reset: false })] }],
  ["with a row that is no object", { owners: [owner({ rows: [{ tag: "a", row: [1] }] })] }],
  ["with a row without a tag", { owners: [owner({ rows: [{ tag: "", row: { id: 1 } }] })] }],
  ["with a row that is gone and has a number", { owners: [owner({ gone: [1] })] }],
  ["with a part of a row as how much came", { owners: [owner({ fetched: 0.5 })] }],
  ["with a dropped owner without an id", { dropped: [null] }],
  ["that has more and brings nothing", { owners: [], more: true }],
])("an answer %s is refused, and nothing of it is kept", async (_, wrong) => {
  const server = new FakeTable(payment(1));
  server.bend = (answer) => ({ ...answer, ...wrong });
  const copy = await copyOf(server);
  await expect(copy.puller.sync()).rejects.toMatchObject({ slug: "answer_refused" });
  expect(await copy.ids()).toEqual([]);
  expect(await copy.tenants()).toBeNull();
  server.bend = (answer) => answer;
  await copy.puller.sync();
  expect(await copy.ids()).toEqual([1]);
});

test("a row of one owner is not taken away by what is said of another one", async () => {
  const server = new FakeTable(payment(1), payment(2, { tenant_id: SOUTH }));
  const copy = await copyOf(server);
  await copy.puller.sync();
  server.remove(payment(2), NORTH);
  await copy.puller.sync();
  expect(await copy.ids()).toEqual([1, 2]);
  server.remove(payment(2), SOUTH);
  await copy.puller.sync();
  expect(await copy.ids()).toEqual([1]);
});
