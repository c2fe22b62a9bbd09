/** How fast a copy in IndexedDB is, without a server. */

import { openIndexedDb } from "../../web/src/index.ts";
import { Lines } from "../../web/src/lines.ts";
import { readMessages } from "../../web/src/reads.ts";
import type { Row } from "../../web/src/rows.ts";
import { search } from "../../web/src/search.ts";
import { readAnswer, readStep, type Step } from "../../web/src/steps.ts";
import { Store } from "../../web/src/store.ts";

const ME = "00000000-0000-4000-8000-00000000000a";
const BOB = "00000000-0000-4000-8000-00000000000b";
const ROOMS = 1000;
const EACH = 100;
const AT_ONCE = 100;
const HALF = 25;

let count = 0;

function message(room_id: string, seq: number): Row {
  count += 1;
  return {
    room_id,
    seq,
    id: crypto.randomUUID(),
    rev: seq,
    sender_id: BOB,
    sender_label: null,
    client_id: null,
    kind: "text",
    body: `n${seq} quick brown fox jumps over a lazy`,
    reply_to: null,
    thread_root: null,
    mentions: [],
    mention_all: false,
    attachments: [],
    metadata: {},
    created_at: new Date(1.7e12 + count * 1000).toISOString(),
    edited_at: null,
    deleted_at: null,
  };
}

function room(id: string): Row {
  return {
    id,
    tenant_id: ME,
    kind: "group",
    low_user: null,
    high_user: null,
    name: `Room ${id}`,
    topic: "",
    is_public: false,
    is_large: false,
    is_closed: false,
    archived_at: null,
    created_at: "2026-11-21T00:00:00+00:00",
    active_at: "2026-11-21T00:00:00+00:00",
    changed_rev: 1,
    last_seq: 0,
    floor_seq: 0,
    metadata: {},
  };
}

function window_(room_id: string): Row {
  const messages = Array.from({ length: EACH }, (_, place) => message(room_id, place + 1));
  return { room_id, from: null, to: EACH, reset: false, rows: { rooms: [room(room_id)], messages } };
}

/** Milliseconds of the middle one of so many runs. */
async function median(times: number, work: (time: number) => Promise<unknown>): Promise<number> {
  const all: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const began = performance.now();
    await work(time);
    all.push(performance.now() - began);
  }
  return all.sort((a, b) => a - b)[times >> 1] as number;
}

/** Fill a copy with 100,000 messages of 1,000 rooms, and measure, in milliseconds. */
export async function speed(): Promise<Record<string, number>> {
  const storage = await openIndexedDb(crypto.randomUUID());
  const store = new Store(storage, ME);
  await store.begin();
  const ids = Array.from({ length: ROOMS }, () => crypto.randomUUID());
  const memberships = ids.map((room_id) => ({ room_id, user_id: ME, user_rev: 1, left_at: null }));
  const apply = (rooms: readonly Row[], from: number | null, rows: Row) => {
    const user = { from, to: 1, rows, dropped_rooms: [] };
    const answer = { timeline: "t", user, rooms, profiles: [], more: false };
    const asked = {
      timeline: from === null ? null : "t",
      user: from,
      rooms: new Map(rooms.map((each) => [each["room_id"] as string, null])),
      first: new Map(),
    };
    return store.applyAnswer(asked, readAnswer(answer));
  };
  await apply([], null, { memberships });
  const windows = Array.from({ length: ROOMS / AT_ONCE }, (_, place) =>
    ids.slice(place * AT_ONCE, (place + 1) * AT_ONCE).map(window_),
  );
  const applied = await median(windows.length, (time) => apply(windows[time] as Row[], 1, {}));
  const one = ids[7] as string;
  const steps = Array.from({ length: 2 * HALF }, (_, place) => {
    const seq = EACH + place + 1;
    return readStep({
      room_id: one,
      from: seq - 1,
      to: seq,
      rows: { messages: [message(one, seq)] },
    }) as Step;
  });
  const lines = new Lines(storage, ME);
  const measured = {
    "10,000 messages applied": applied,
    "a live change applied": await median(HALF, (time) => store.applyStep(steps[time] as Step)),
    "1,000 rooms read for the first time": await median(9, () => new Lines(storage, ME).read(0, Infinity)),
    "1,000 rooms read": await median(15, async (time) => {
      lines.hear((await store.applyStep(steps[time + HALF] as Step)) ?? []);
      return lines.read(0, Infinity);
    }),
    "a page read": await median(15, () => storage.read((tx) => readMessages(tx, ME, one, null, 50))),
    "a common word found": await median(15, () => storage.read((tx) => search(tx, "fox", null, 20, null))),
    "a rare word found": await median(15, () => storage.read((tx) => search(tx, "n42 fox", one, 20, null))),
  };
  await storage.destroy();
  return measured;
}
