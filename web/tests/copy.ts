/** A copy in memory with its engine and sender, for the tests of what they make of a server. */
import { Engine } from "../src/engine.ts";
import { Lines, readRoom } from "../src/lines.ts";
import { readMessages } from "../src/reads.ts";
import { Sender } from "../src/sender.ts";
import { openMemory } from "../src/storage/memory.ts";
import type { Storage } from "../src/storage/storage.ts";
import { Store } from "../src/store.ts";
import type { Change, OutboxItem } from "../src/types.ts";
import { type FakeServer, ME, ROOM } from "./fakes.ts";

export async function copyOf(server: FakeServer, open = openMemory) {
  const storage: Storage = await open(crypto.randomUUID());
  const store = new Store(storage, ME);
  await store.begin();
  const changes: Change[] = [];
  const end = new AbortController();
  const told = {
    emit: (some: readonly Change[]) => void changes.push(...some),
    heads: () => undefined,
    trouble: () => undefined,
  };
  const engine = new Engine(store, server, told, () => 0, end.signal);
  const settled: [OutboxItem, number | null][] = [];
  const sender = new Sender(store, server, (...each) => settled.push(each), () => 0, end.signal);
  return {
    storage,
    store,
    engine,
    sender,
    changes,
    settled,
    end: () => end.abort(),
    bodies: async (roomId = ROOM) =>
      (await storage.read((tx) => readMessages(tx, ME, roomId, null, 1000))).map((each) =>
        each.body
      ),
    messages: () => storage.read((tx) => readMessages(tx, ME, ROOM, null, 1000)),
    room: async () => {
      const room = await storage.read((tx) => readRoom(tx, ME, ROOM));
      if (room === null) throw new Error("the room is not here");
      return room;
    },
    rooms: () => new Lines(storage, ME).read(0, Infinity),
    outbox: () => storage.read((tx) => tx.list("outbox")),
  };
}

export type Copy = Awaited<ReturnType<typeof copyOf>>;
