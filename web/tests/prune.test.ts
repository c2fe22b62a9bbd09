import { beforeEach, expect, test } from "vitest";

import { ParleyError } from "../src/errors.ts";
import { prune } from "../src/prune.ts";
import { readMessages } from "../src/reads.ts";
import { openMemory } from "../src/storage/memory.ts";
import type { Storage, Writer } from "../src/storage/storage.ts";
import { Store } from "../src/store.ts";
import { FakeServer, ME, ROOM } from "./fakes.ts";

const KEPT = 250;

/** A disk that takes nothing but deletions while it is full, and has room again after one. */
class Disk {
  isFull = false;
  /** Deletions free something. */
  isFreed = true;

  constructor(readonly storage: Storage) {}

  wrapped(): Storage {
    const { storage } = this;
    return {
      ...storage,
      write: (work, isStrict) =>
        storage.write(async (tx) => {
          let puts = 0;
          const counting: Writer = {
            ...tx,
            put: (table, record) => {
              puts += 1;
              return tx.put(table, record);
            },
          };
          const result = await work(counting);
          if (this.isFull && puts > 0) {
            const cause = new DOMException("", "QuotaExceededError");
            throw new ParleyError("store_unusable", "It is full.", "", { cause });
          }
          if (puts === 0 && this.isFreed) this.isFull = false;
          return result;
        }, isStrict),
    };
  }
}

let disk: Disk;
let store: Store;

beforeEach(async () => {
  disk = new Disk(await openMemory(""));
  store = new Store(disk.wrapped(), ME);
  await store.begin();
  const server = new FakeServer(...Array.from({ length: KEPT }, (_, place) => `n${place + 1}`));
  const asked = { timeline: null, user: null, rooms: new Map(), first: new Map() };
  await store.applyAnswer(asked, await server.pull(asked));
  const { timeline, rev: user } = store.account;
  const more = { ...asked, timeline, user, rooms: new Map([[ROOM, null]]) };
  await store.applyAnswer(more, await server.pull(more));
  expect(await seqs()).toEqual([1, KEPT, KEPT]);
});

/** The first and the last message that is here, and how many there are. */
async function seqs(): Promise<[number, number, number]> {
  const page = await disk.storage.read((tx) => readMessages(tx, ME, ROOM, null, 1000));
  return [page[0]?.seq ?? 0, page.at(-1)?.seq ?? 0, page.length];
}

test("the newest 200 messages of a room stay, and when that is not enough the newest 20", async () => {
  expect((await prune(store)).map((each) => each.room_id)).toEqual([ROOM]);
  expect(await seqs()).toEqual([KEPT - 199, KEPT, 200]);
  await prune(store);
  expect(await seqs()).toEqual([KEPT - 19, KEPT, 20]);
  expect(await prune(store)).toEqual([]);
});

test("where only deletions are taken, messages leave first and the room says so afterwards", async () => {
  disk.isFull = true;
  expect(await prune(store)).toHaveLength(1);
  expect(await seqs()).toEqual([KEPT - 199, KEPT, 200]);
  await store.begin();
  expect(store.positions.get(ROOM)?.rev).not.toBeNull();
});

test("a copy that could not write down what left is fetched anew by whoever leads next", async () => {
  disk.isFull = true;
  disk.isFreed = false;
  await expect(prune(store)).rejects.toThrow("It is full.");
  expect((await seqs())[2]).toBe(200);
  const before = store.positions.get(ROOM);
  expect(before?.rev).not.toBeNull();
  disk.isFull = false;
  await store.begin();
  expect(store.positions.get(ROOM)?.rev).toBeNull();
  // It was told once.
  await store.begin();
  expect(store.positions.get(ROOM)?.rev).toBeNull();
});

test("a copy that could not write down what left is shortened to what every room has", async () => {
  disk.isFull = true;
  disk.isFreed = false;
  await expect(prune(store)).rejects.toThrow("It is full.");
  disk.isFull = false;
  await prune(store);
  expect(await seqs()).toEqual([KEPT - 19, KEPT, 20]);
  await store.begin();
  expect(store.positions.get(ROOM)?.rev).not.toBeNull();
});
