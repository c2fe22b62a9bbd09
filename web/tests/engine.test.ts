import "fake-indexeddb/auto";
import { afterEach, describe, expect, test, vi } from "vitest";
import vectors from "../../tests/vectors/versions.json";
import { Deposed } from "../src/deposed.ts";
import { ParleyError } from "../src/errors.ts";
import { openIndexedDb } from "../src/storage/indexeddb.ts";
import { openMemory } from "../src/storage/memory.ts";
import { putOlder } from "../src/room_rows.ts";
import { Store } from "../src/store.ts";
import { readStep } from "../src/steps.ts";
import { addAction, written } from "../src/outbox.ts";
import { type Copy, copyOf } from "./copy.ts";
import { BOB, FakeServer, ME, membership, messageRow, ownStep, ROOM, step } from "./fakes.ts";

let copy: Copy;
afterEach(() => copy.end());

/** A copy that is in step with a server. */
async function synced(server: FakeServer, open = openMemory): Promise<Copy> {
  copy = await copyOf(server, open);
  await copy.engine.sync();
  return copy;
}

/** Give a step to the engine, and wait until it was taken. */
async function hear(payload: unknown): Promise<void> {
  copy.engine.hear(payload);
  await copy.engine.heard();
}

describe.each([
  ["memory", openMemory],
  ["IndexedDB", openIndexedDb],
])("a copy in %s", (_, open) => {
  test("has what the server has after the first pull", async () => {
    await synced(new FakeServer("One", "Two"), open);
    expect(await copy.bodies()).toEqual(["One", "Two"]);
    expect(await copy.room()).toMatchObject({ unread: 2, mentions: 0 });
    expect(copy.store.positions.get(ROOM)).toMatchObject({ rev: 2, first_seq: 1 });
  });

  test("applies a step that begins where it ends, and asks nobody", async () => {
    const server = new FakeServer("One");
    await synced(server, open);
    const asked = server.asked.length;
    await hear(server.say("Two", { mentions: [ME] }));
    expect(await copy.bodies()).toEqual(["One", "Two"]);
    expect(await copy.room()).toMatchObject({
      unread: 2,
      mentions: 1,
      last_message: { body: "Two" },
    });
    expect(server.asked).toHaveLength(asked);
  });

  test("ignores a step that it has already", async () => {
    const server = new FakeServer("One");
    await synced(server, open);
    const payload = server.say("Two");
    await hear(payload);
    const count = copy.changes.length;
    await hear(payload);
    await copy.engine.catchUp();
    expect(copy.changes).toHaveLength(count);
    expect(await copy.bodies()).toEqual(["One", "Two"]);
  });

  test("pulls when a step is missing before the one that comes", async () => {
    const server = new FakeServer("One");
    await synced(server, open);
    server.say("Two");
    await hear(server.say("Three"));
    expect(await copy.bodies()).toEqual(["One"]);
    await copy.engine.catchUp();
    expect(await copy.bodies()).toEqual(["One", "Two", "Three"]);
  });

  test("lets nobody write who leads no more", async () => {
    const server = new FakeServer("One");
    await synced(server, open);
    await new Store(copy.storage, ME).begin();
    const late = copy.store.applyStep(readStep(server.say("Two")) as never);
    await expect(late).rejects.toBeInstanceOf(Deposed);
    expect(await copy.bodies()).toEqual(["One"]);
  });
});

test("a pull is repeated until the copy is where it was told to be", async () => {
  const server = new FakeServer("One");
  await synced(server);
  server.say("Two");
  server.hidden = 2;
  const payload = server.say("Three");
  await hear(payload);
  setTimeout(() => (server.hidden = 0), 30);
  await copy.engine.catchUp();
  expect(await copy.bodies()).toEqual(["One", "Two", "Three"]);
  expect(server.asked.length).toBeGreaterThan(2);
});

test("a number that no pull reaches is forgotten after the heads were compared", async () => {
  vi.useFakeTimers();
  const server = new FakeServer("One");
  await synced(server);
  copy.engine.tell(ROOM, 99);
  const done = copy.engine.catchUp();
  await vi.advanceTimersByTimeAsync(20_000);
  await done;
  vi.useRealTimers();
  expect(copy.engine.isBehind).toBe(false);
});

test("another timeline makes the copy fetch everything anew, and unconfirmed sends go again", async () => {
  const server = new FakeServer("One", "Two");
  await synced(server);
  await written(copy.storage, ME, async (draft) => {
    const sent = await addAction(draft, {
      kind: "send",
      room_id: ROOM,
      client_id: BOB,
      said: { body: "x" },
    });
    await draft.putItem({ ...sent, state: "sent", rev: 9, row: messageRow(9, 9, "x") });
    await addAction(draft, { kind: "edit", room_id: ROOM, seq: 1, said: { body: "y" } });
  });
  server.timeline = "second";
  server.messages = [messageRow(1, 1, "Another one")];
  await copy.engine.sync();
  expect(await copy.bodies()).toEqual(["Another one", "x"]);
  const items = await copy.outbox();
  expect(items.map(({ state, reason }) => [state, reason])).toEqual([
    ["pending", ""],
    ["discarded", "restored"],
  ]);
});

test.each(vectors)(
  "a server with $version that serves clients from $lowest_client on: $slug, and the copy stays",
  async ({ slug, ...versions }) => {
    const server = new FakeServer("One");
    const fitting = server.versions;
    await synced(server);
    server.say("Two");
    server.versions = versions;
    const done = copy.engine.sync();
    if (slug === null) await done;
    else {
      await expect(done).rejects.toMatchObject({ slug });
      expect(await copy.bodies()).toEqual(["One"]);
      server.versions = fitting;
      await copy.engine.sync();
    }
    expect(await copy.bodies()).toEqual(["One", "Two"]);
  },
);

test("a room that cannot be pulled holds up no other", async () => {
  const bad = "00000000-0000-4000-8000-0000000000bd";
  const server = new FakeServer("One");
  server.others = [bad];
  server.failing = (rooms) => (rooms.includes(bad) ? new ParleyError("api_error", "no") : null);
  copy = await copyOf(server);
  const running = copy.engine.run();
  await vi.waitFor(async () => expect(await copy.bodies()).toEqual(["One"]), 5000);
  copy.end();
  await running;
  await expect(copy.engine.isBehind).toBe(true);
}, 15_000);

test("an answer with a row of another room is refused whole", async () => {
  const server = new FakeServer("One");
  server.messages[0] = messageRow(1, 1, "One", { room_id: BOB });
  copy = await copyOf(server);
  await expect(copy.engine.sync()).rejects.toMatchObject({ slug: "answer_refused" });
  expect(copy.store.positions.get(ROOM)?.rev ?? null).toBeNull();
});

test("a row that cannot be read costs that row", async () => {
  const server = new FakeServer("One", "Two", "Three");
  server.messages[1] = messageRow(2, 2, "Two", { kind: "hologram", mentions: "all" });
  await synced(server);
  const shown = await copy.messages();
  expect(shown.map((each) => [each.body, each.is_unreadable])).toEqual([
    ["One", false],
    ["", true],
    ["Three", false],
  ]);
  expect(shown[1]?.sender_id).toBe(BOB);
});

test("a broadcast with rows that make no sense is only a reason to pull", async () => {
  const server = new FakeServer("One");
  await synced(server);
  const payload = server.say("Two");
  await hear({ ...payload, rows: { messages: [{ seq: "2" }] } });
  for (
    const nonsense of [null, 7, {}, { room_id: ROOM, from: -1, to: 2 }, {
      room_id: "x",
      from: 1,
      to: 2,
    }]
  ) {
    await hear(nonsense);
  }
  await copy.engine.catchUp();
  expect(await copy.bodies()).toEqual(["One", "Two"]);
});

test("when the person loses a room it leaves the copy, and its outbox is discarded", async () => {
  const server = new FakeServer("One");
  await synced(server);
  await written(copy.storage, ME, async (draft) => {
    await addAction(draft, {
      kind: "send",
      room_id: ROOM,
      client_id: BOB,
      said: { body: "Too late" },
    });
    await addAction(draft, { kind: "read", room_id: ROOM, seq: 1 });
  });
  const left = membership(2, { left_at: "2026-11-21T01:00:00+00:00" });
  await hear(ownStep(1, 2, { memberships: [left] }));
  expect(await copy.rooms()).toEqual([]);
  expect(await copy.storage.read((tx) => tx.count("messages"))).toBe(0);
  expect(await copy.outbox()).toMatchObject([{
    kind: "send",
    state: "discarded",
    reason: "room_not_found",
  }]);
  expect(copy.changes.at(-2)).toMatchObject({ room_id: ROOM, is_gone: true });
});

test("a step of somebody else's own stream is not taken", async () => {
  await synced(new FakeServer("One"));
  await hear({ ...ownStep(1, 2, { memberships: [] }), user_id: BOB });
  await hear(ownStep(1, 2, { marks: [{ room_id: ROOM, user_id: BOB, rev: 2, read_seq: 1 }] }));
  expect(copy.store.account.rev).toBe(1);
});

test("a tombstone ends reactions, the pin and notifications", async () => {
  const server = new FakeServer("One");
  server.messages[0] = messageRow(1, 1, "One", { mentions: [ME] });
  await synced(server);
  const reaction = { room_id: ROOM, seq: 1, user_id: BOB, emoji: "👍", rev: 2, removed_at: null };
  const pin = { room_id: ROOM, seq: 1, rev: 2, removed_at: null };
  await hear(step(1, 2, [], { rows: { reactions: [reaction], pins: [pin] } }));
  const mention = {
    seq: 1,
    rev: 2,
    kind: "mention",
    room_id: ROOM,
    message_seq: 1,
    message_rev: 1,
  };
  await hear(ownStep(1, 2, { notifications: [mention] }));
  expect((await copy.messages())[0]).toMatchObject({ is_pinned: true, reactions: { "👍": [BOB] } });
  expect(await copy.storage.read((tx) => tx.count("notifications"))).toBe(1);
  const deleted = messageRow(1, 3, "", { deleted_at: "2026-11-21T01:00:00+00:00" });
  await hear(step(2, 3, [deleted]));
  for (const table of ["reactions", "pins", "notifications"] as const) {
    expect(await copy.storage.read((tx) => tx.count(table))).toBe(0);
  }
  expect((await copy.room()).unread).toBe(0);
  // One that arrives afterwards is over already.
  await hear(ownStep(2, 3, { notifications: [{ ...mention, seq: 2, rev: 3 }] }));
  expect(await copy.storage.read((tx) => tx.count("notifications"))).toBe(0);
});

test("a raised floor and a cleared history take the past with them", async () => {
  const server = new FakeServer("One", "Two", "Three");
  await synced(server);
  const room = { id: ROOM, changed_rev: 4, last_seq: 3, floor_seq: 1 };
  await hear(step(3, 4, [], { rows: { rooms: [room] } }));
  expect(await copy.bodies()).toEqual(["Two", "Three"]);
  const cleared = { room_id: ROOM, user_id: ME, rev: 2, cleared_seq: 2 };
  await hear(ownStep(1, 2, { preferences: [cleared] }));
  expect(await copy.bodies()).toEqual(["Three"]);
  expect(await copy.room()).toMatchObject({ unread: 1, last_message: { body: "Three" } });
  // The others have cleared nothing, so a step may bring what is gone here.
  await hear(step(4, 5, [messageRow(2, 5, "Two, mended")]));
  expect(await copy.bodies()).toEqual(["Three"]);
});

test("unread counts what others said above the mark, the one that waits, and where we came in", async () => {
  const server = new FakeServer("One", "Two", "Three", "Four");
  server.messages[3] = messageRow(4, 4, "Mine", { sender_id: ME });
  await synced(server);
  expect((await copy.room()).unread).toBe(3);
  await written(
    copy.storage,
    ME,
    (draft) => addAction(draft, { kind: "read", room_id: ROOM, seq: 1 }),
  );
  expect((await copy.room()).unread).toBe(2);
  await hear(
    ownStep(1, 2, {
      marks: [{ room_id: ROOM, user_id: ME, rev: 2, read_seq: 2, delivered_seq: 2 }],
    }),
  );
  expect((await copy.room()).unread).toBe(1);
  await hear(ownStep(2, 3, { memberships: [membership(3, { joined_seq: 4 })] }));
  expect((await copy.room()).unread).toBe(0);
});

test("a newer row is never replaced by an older one", async () => {
  const server = new FakeServer("One");
  await synced(server);
  await hear(step(1, 3, [messageRow(1, 3, "Newest")]));
  const older = { messages: [messageRow(1, 2, "Older")] };
  await copy.store.write((draft) => putOlder(draft, ROOM, 1, older));
  expect(await copy.bodies()).toEqual(["Newest"]);
});
