import "fake-indexeddb/auto";
import { openDB } from "idb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openIndexedDb } from "../src/storage/indexeddb.ts";
import { openMemory } from "../src/storage/memory.ts";
import { KEYS } from "../src/storage/tables.ts";
import { type Key, type Range, type Storage, under } from "../src/storage/storage.ts";
import { BOB, messageRow, ROOM } from "./fakes.ts";
import { messageRecord } from "../src/records.ts";

const OTHER = "00000000-0000-4000-8000-000000000002";

describe.each([
  ["memory", openMemory],
  ["IndexedDB", openIndexedDb],
])("a storage in %s", (_, open) => {
  let storage: Storage;
  beforeEach(async () => {
    storage = await open(crypto.randomUUID());
  });
  afterEach(() => storage.destroy());

  const put = (seq: number, body: string, room_id = ROOM) =>
    storage.write((tx) =>
      tx.put("messages", messageRecord({ ...messageRow(seq, seq, body), room_id }))
    );
  const seqs = (range?: Parameters<typeof under>, most?: number) =>
    storage.read(async (tx) =>
      (await tx.list("messages", range === undefined ? undefined : under(...range), most)).map((
        each,
      ) => each.seq)
    );

  test("gives back what was put under its key, and replaces it", async () => {
    await put(1, "First");
    await put(1, "Second");
    const record = await storage.read((tx) => tx.get("messages", [ROOM, 1]));
    expect(record?.row?.["body"]).toBe("Second");
    expect(await storage.read((tx) => tx.get("messages", [ROOM, 2]))).toBeUndefined();
  });

  test("lists a range in the order of keys", async () => {
    for (const seq of [10, 2, 1, 9]) await put(seq, "x");
    await put(5, "elsewhere", OTHER);
    expect(await seqs([[ROOM]])).toEqual([1, 2, 9, 10]);
    expect(await seqs([[ROOM], 2, 10])).toEqual([2, 9]);
    expect(await seqs([[ROOM], undefined, 9])).toEqual([1, 2]);
    expect(await seqs([[ROOM], 2], 2)).toEqual([2, 9]);
    expect(await seqs()).toEqual([1, 2, 9, 10, 5]);
  });

  test("deletes keys and ranges, and nothing else", async () => {
    for (const seq of [1, 2, 3, 4]) await put(seq, "x");
    await put(1, "elsewhere", OTHER);
    await storage.write(async (tx) => {
      await tx.remove("messages", [ROOM, 4]);
      await tx.clear("messages", under([ROOM], undefined, 3));
    });
    expect(await seqs()).toEqual([3, 1]);
    await storage.write((tx) => tx.clear("messages"));
    expect(await storage.read((tx) => tx.count("messages"))).toBe(0);
  });

  test("keeps nothing of a transaction that throws", async () => {
    await put(1, "Before");
    const work = storage.write(async (tx) => {
      await tx.put("messages", messageRecord(messageRow(1, 2, "After")));
      await tx.put("messages", messageRecord(messageRow(2, 2, "More")));
      await tx.clear("messages", under([ROOM], undefined, 2));
      throw new Error("no");
    });
    await expect(work).rejects.toThrow("no");
    expect(await seqs()).toEqual([1]);
    expect((await storage.read((tx) => tx.get("messages", [ROOM, 1])))?.row?.["body"]).toBe(
      "Before",
    );
  });

  test("lets writers come one after the other", async () => {
    const bump = () =>
      storage.write(async (tx) => {
        const seq = await tx.count("messages");
        await tx.put("messages", messageRecord(messageRow(seq + 1, 1, "x")));
      });
    await Promise.all(Array.from({ length: 20 }, bump));
    expect(await seqs()).toHaveLength(20);
  });

  test("finds messages by a word or its beginning, the newest first", async () => {
    await put(1, "Lisbon is far");
    await put(2, "the lisboetas");
    await put(3, "Porto");
    await put(4, "LISBON again", OTHER);
    const found = (
      word: string,
      isBegun: boolean,
      below = Infinity,
      roomId: string | null = null,
    ) =>
      storage.read(async (tx) => {
        const all: number[] = [];
        for await (const record of tx.newest(word, isBegun, below, roomId)) all.push(record.seq);
        return all;
      });
    expect(await found("lisbon", false)).toEqual([4, 1]);
    expect(await found("lisb", true)).toEqual([4, 2, 1]);
    expect(await found("lisb", true, Infinity, ROOM)).toEqual([2, 1]);
    expect(await found("lis", false)).toEqual([]);
    const { at } = messageRecord(messageRow(2, 2, ""));
    expect(await found("lisb", true, at)).toEqual([1]);
    await put(1, "Braga");
    expect(await found("lisbon", false)).toEqual([4]);
  });

  test("finds rows of tables by their entries, each once", async () => {
    const row = (tag: string, entries: readonly Key[]) =>
      storage.write((tx) =>
        tx.put("table_rows", { table: "t", tag, owner_id: ROOM, key: [tag], entries, row: {} })
      );
    const tags = (range: Range, most?: number) =>
      storage.read(async (tx) => (await tx.rowsWith(range, most)).map((each) => each.tag).sort());
    await row("a", [["t", "owner", ROOM], ["t", "newest", 5]]);
    await row("b", [["t", "owner", ROOM], ["t", "newest", 9]]);
    await row("c", [["t", "owner", OTHER], ["u", "owner", ROOM]]);
    expect(await tags(under(["t", "owner", ROOM]))).toEqual(["a", "b"]);
    expect(await tags(under(["t", "owner", ROOM]), 1)).toHaveLength(1);
    expect(await tags(under(["t", "newest"], 0, 9))).toEqual(["a"]);
    expect(await tags(under(["u"]))).toEqual(["c"]);
    await row("a", [["t", "owner", OTHER]]);
    expect(await tags(under(["t", "owner", ROOM]))).toEqual(["b"]);
    await storage.write((tx) => tx.remove("table_rows", ["t", "c"]));
    expect(await tags(under(["t", "owner", OTHER]))).toEqual(["a"]);
  });

  test("is empty after it was destroyed", async () => {
    await put(1, "x");
    await storage.destroy();
    storage = await open("again");
    expect(await seqs()).toEqual([]);
  });

  test("does not share what it holds with whoever put it", async () => {
    const row = { ...messageRow(1, 1, "Mine"), sender_id: BOB };
    await storage.write((tx) => tx.put("messages", messageRecord(row)));
    row.body = "Changed";
    expect((await storage.read((tx) => tx.get("messages", [ROOM, 1])))?.row?.["body"]).toBe("Mine");
  });
});

test("a database that an earlier version made keeps what is in it and gets the tables that are new", async () => {
  const name = crypto.randomUUID();
  const before = await openDB(name, 2, {
    upgrade(database) {
      for (const [table, columns] of Object.entries(KEYS)) {
        if (table.startsWith("table")) continue;
        const keyPath = columns.length === 1 ? columns[0] : [...columns];
        const store = database.createObjectStore(table, { keyPath });
        if (table === "messages") store.createIndex("words", "words", { multiEntry: true });
      }
    },
  });
  await before.put("messages", messageRecord(messageRow(1, 1, "Kept")));
  before.close();
  const storage = await openIndexedDb(name);
  const kept = await storage.read((tx) => tx.get("messages", [ROOM, 1]));
  expect(kept?.row?.["body"]).toBe("Kept");
  expect(await storage.read((tx) => tx.rowsWith(under(["t"])))).toEqual([]);
  await storage.destroy();
});
