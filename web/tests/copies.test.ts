import { expect, test } from "vitest";

import file from "../../tests/vectors/copies.json";
import { checksum } from "../src/checksum.ts";
import { ParleyError } from "../src/errors.ts";
import { Lines, readRoom } from "../src/lines.ts";
import { readMessages } from "../src/reads.ts";
import { readAnswer, readStep } from "../src/steps.ts";
import { search } from "../src/search.ts";
import { openMemory } from "../src/storage/memory.ts";
import { under } from "../src/storage/storage.ts";
import type { Asked } from "../src/positions.ts";
import { Store } from "../src/store.ts";

type Row = Record<string, unknown>;
type Rows = Record<string, Row[]>;

interface Streams extends Row {
  rows?: Rows;
  user?: Streams | null;
  rooms?: Streams[];
  profiles?: Row[];
}

interface Event {
  readonly step?: Streams;
  readonly answer?: Streams;
  readonly asked?: {
    user: number;
    rooms: Record<string, number>;
    first?: Record<string, number>;
  };
  readonly outcome: string;
}

interface Case {
  readonly says: string;
  readonly events: readonly Event[];
  readonly user: number | null;
  readonly room: unknown;
}

const { names } = file;
const vectors = JSON.parse(
  Object.entries(names).reduce(
    (text, [name, meant]) => text.replaceAll(`"${name}"`, `"${meant}"`),
    JSON.stringify(file),
  ),
) as { defaults: Record<string, Row>; cases: Case[] };

/** Complete the rows of a step, or of all streams of an answer. */
function filledIn(value: Streams): Streams {
  const complete = (kind: string, rows: Row[]) =>
    rows.map((row) => ({ ...vectors.defaults[kind], ...row }));
  const filled = { ...value };
  if (value.rows) {
    filled.rows = Object.fromEntries(
      Object.entries(value.rows).map(([kind, rows]) => [kind, complete(kind, rows)]),
    );
  }
  if (value.user) filled.user = filledIn(value.user);
  if (value.rooms) filled.rooms = value.rooms.map(filledIn);
  if (value.profiles) filled.profiles = complete("profiles", value.profiles);
  return filled;
}

/** Do what an event says, and return what comes of it. */
async function take(store: Store, lines: Lines, event: Event): Promise<string> {
  const { step, answer, asked } = event;
  const { timeline, rev } = store.account;
  if (step !== undefined) {
    const read = readStep(filledIn(step));
    if (read === null) return "unreadable";
    const have = read.room_id === null ? rev : store.positions.get(read.room_id)?.rev ?? null;
    const changes = await store.applyStep(read);
    lines.hear(changes ?? []);
    if (changes !== null) return "applied";
    return have !== null && read.to <= have ? "ignored" : "pull";
  }
  const cursor: Asked = asked === undefined
    ? {
      timeline,
      user: rev,
      rooms: new Map([...store.positions].map(([id, { rev }]) => [id, rev])),
      first: new Map(),
    }
    : {
      timeline,
      user: asked.user,
      rooms: new Map(Object.entries(asked.rooms)),
      first: new Map(Object.entries(asked.first ?? {})),
    };
  try {
    lines.hear(await store.applyAnswer(cursor, readAnswer(filledIn(answer ?? {}))));
    return "taken";
  } catch (error) {
    if (error instanceof ParleyError && error.slug === "answer_refused") return "refused";
    throw error;
  }
}

/** What there is of the room. */
async function held(store: Store): Promise<unknown> {
  const position = store.positions.get(names.$room);
  if (position === undefined) return null;
  return await store.storage.read(async (tx) => {
    const room = await readRoom(tx, names.$ann, names.$room);
    const messages = await readMessages(tx, names.$ann, names.$room, null, 50);
    const rows = await tx.list("messages", under([names.$room]));
    const { count, sum } = checksum(rows.map(({ seq, rev }) => [seq, rev] as const));
    return {
      rev: position.rev,
      first_seq: position.first_seq,
      checksum: [count, sum],
      unread: room?.unread,
      mentions: room?.mentions,
      messages: messages.map((each) => [
        each.seq,
        each.deleted_at === null ? each.body : null,
        each.state,
      ]),
      reactions: messages.flatMap((each) =>
        Object.entries(each.reactions).sort().map(([emoji, people]) => [
          each.seq,
          emoji,
          [...people].sort(),
        ])
      ),
      found: (await search(tx, "hello", names.$room, 20, null)).map((each) => each.seq),
      pinned: messages.filter((each) => each.is_pinned).map((each) => each.seq),
    };
  });
}

test.each(vectors.cases)("$says", async ({ events, user, room }) => {
  const store = new Store(await openMemory("ann"), names.$ann);
  await store.begin();
  const lines = new Lines(store.storage, names.$ann);
  for (const event of events) {
    expect(await take(store, lines, event)).toBe(event.outcome);
    // What is kept in memory is what is in the copy.
    const read = await new Lines(store.storage, names.$ann).read(0, Infinity);
    expect(await lines.read(0, Infinity)).toEqual(read);
  }
  expect(store.account.rev).toBe(user);
  expect(await held(store)).toEqual(room);
});
