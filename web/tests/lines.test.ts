import { beforeEach, expect, test, vi } from "vitest";

import { change } from "../src/change.ts";
import { Lines } from "../src/lines.ts";
import { addAction, written } from "../src/outbox.ts";
import type { Storage } from "../src/storage/storage.ts";
import { type Copy, copyOf } from "./copy.ts";
import { BOB, FakeServer, ME, ROOM } from "./fakes.ts";

const OTHER = "00000000-0000-4000-8000-000000000002";
let server: FakeServer;
let copy: Copy;
let lines: Lines;

beforeEach(async () => {
  server = new FakeServer("One");
  server.others = [OTHER];
  copy = await copyOf(server);
  await copy.engine.sync();
  lines = new Lines(copy.storage, ME);
});

const all = () => lines.read(0, Infinity);

test("a line that did not change stays the same object, and the one that did is new", async () => {
  const before = await all();
  const count = copy.changes.length;
  copy.engine.hear(server.say("Two"));
  await copy.engine.heard();
  lines.hear(copy.changes.slice(count));
  const after = await all();
  expect(after[0]).toMatchObject({ id: ROOM, last_message: { body: "Two" }, unread: 2 });
  expect(after[0]).not.toBe(before.find((line) => line.id === ROOM));
  expect(after[1]).toBe(before.find((line) => line.id === OTHER));
});

test("a line shows what waits to be sent, and is as before when that is gone", async () => {
  const [before] = await all();
  const item = await written(
    copy.storage,
    ME,
    (draft) => addAction(draft, { kind: "send", room_id: ROOM, said: { body: "Mine" } }),
  );
  lines.hear([change(ROOM)]);
  expect((await all())[0]).toMatchObject({ last_message: { body: "Mine", state: "pending" } });
  await written(
    copy.storage,
    ME,
    (draft) => draft.removeItems(({ id }) => id === item.id),
  );
  lines.hear([change(ROOM)]);
  expect((await all())[0]).toEqual(before);
});

test("whoever is blocked has folded messages on the start screen from the next read on", async () => {
  const row = { id: ROOM, kind: "group", topic: "", is_large: false, is_closed: false };
  await copy.storage.write(async (tx) => {
    const room = await tx.get("rooms", ROOM);
    if (room !== undefined) await tx.put("rooms", { ...room, row });
  });
  expect((await all())[0]?.last_message).toMatchObject({ sender_id: BOB, is_folded: false });
  await copy.storage.write((tx) =>
    tx.put("blocks", { blocked_id: BOB, rev: 2, row: { blocked_id: BOB, removed_at: null } })
  );
  expect((await all())[0]?.last_message).toMatchObject({ sender_id: BOB, is_folded: true });
});

test("rooms are read whole once, again only where they changed, and whole after a read that failed", async () => {
  const listed = vi.fn();
  let fails = false;
  const watched: Storage = {
    ...copy.storage,
    read: (work) =>
      copy.storage.read((tx) => {
        if (fails) throw new Error("the disk is gone");
        const list: typeof tx.list = (table, ...rest) => {
          if (table === "rooms") listed();
          return tx.list(table, ...rest);
        };
        return work({ ...tx, list });
      }),
  };
  lines = new Lines(watched, ME);
  expect(await Promise.all([all(), all()])).toEqual([await all(), await all()]);
  expect(listed).toHaveBeenCalledTimes(1);
  lines.hear([change(ROOM)]);
  fails = true;
  await expect(all()).rejects.toThrow("the disk is gone");
  fails = false;
  expect(await all()).toHaveLength(2);
  expect(listed).toHaveBeenCalledTimes(2);
});
