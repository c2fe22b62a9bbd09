/** A server with one room, small enough to see what a client makes of each answer. */
import { ParleyError } from "../src/errors.ts";
import type { Remote } from "../src/remote.ts";
import type { Row } from "../src/rows.ts";
import { readAnswer, readHeads } from "../src/steps.ts";
import type { Asked } from "../src/positions.ts";
import { VERSION } from "../src/versions.ts";

export const ME = "00000000-0000-4000-8000-00000000000a";
export const BOB = "00000000-0000-4000-8000-00000000000b";
export const ROOM = "00000000-0000-4000-8000-000000000001";

/** A row of `messages`. */
export function messageRow(seq: number, rev: number, body: string, more: Row = {}) {
  return {
    room_id: ROOM,
    seq,
    id: `00000000-0000-4000-9000-${String(seq).padStart(12, "0")}`,
    rev,
    sender_id: BOB,
    sender_label: null,
    client_id: null,
    kind: "text",
    body,
    reply_to: null,
    thread_root: null,
    mentions: [],
    mention_all: false,
    attachments: [],
    metadata: {},
    created_at: `2026-11-21T00:${String(Math.floor(seq / 60) % 60).padStart(2, "0")}:${
      String(seq % 60).padStart(2, "0")
    }+00:00`,
    edited_at: null,
    deleted_at: null,
    ...more,
  };
}

/** The payload of a step of the room. */
export function step(
  begin: number,
  to: number,
  messages: readonly Row[] = [],
  more: Row = {},
): Row {
  return { room_id: ROOM, from: begin, to, rows: { messages }, ...more };
}

/** The payload of a step of the own stream. */
export function ownStep(begin: number, to: number, rows: Row, more: Row = {}): Row {
  return { user_id: ME, from: begin, to, rows, ...more };
}

/** A row of `memberships`. */
export function membership(user_rev: number, more: Row = {}): Row {
  return { room_id: ROOM, user_id: ME, user_rev, left_at: null, ...more };
}

/** Knows a room's messages by rev; every message is one number. */
export class FakeServer implements Remote {
  readonly roomsMost = 1000;
  timeline = "first";
  userRev = 1;
  messages: Row[];
  /** How many of the newest numbers a snapshot does not see yet. */
  hidden = 0;
  /** What a pull is refused with, by the rooms that it names. */
  failing: (rooms: readonly string[]) => ParleyError | null = () => null;
  /** Rooms besides the one with messages. */
  others: string[] = [];
  readonly asked: Asked[] = [];
  readonly calls: [string, Row][] = [];
  headsAsked = 0;
  versions = { version: VERSION, lowest_client: VERSION };
  answer: (name: string, parameters: Row) => unknown = () => null;

  constructor(...bodies: string[]) {
    this.messages = bodies.map((body, place) => messageRow(place + 1, place + 1, body));
  }

  /** The head as a snapshot sees it. */
  get rev(): number {
    return this.messages.length - this.hidden;
  }

  /** Add a message; returns its step. */
  say(body: string, more: Row = {}): Row {
    const number = this.messages.length + 1;
    const row = messageRow(number, number, body, more);
    this.messages.push(row);
    return step(number - 1, number, [row]);
  }

  async call(name: string, parameters: Row): Promise<unknown> {
    this.calls.push([name, parameters]);
    return this.answer(name, parameters);
  }

  read(name: string, parameters: Row): Promise<unknown> {
    return this.call(name, parameters);
  }

  pullTable(name: string, cursor: Row, _mayLag: boolean): Promise<unknown> {
    return this.call("pull_table", { name, cursor });
  }

  async pull(asked: Asked) {
    this.asked.push(asked);
    const error = this.failing([...asked.rooms.keys()]);
    if (error !== null) throw error;
    if (asked.timeline !== null && asked.timeline !== this.timeline) {
      return readAnswer({
        timeline: this.timeline,
        user: null,
        rooms: [],
        profiles: [],
        more: false,
      });
    }
    const rooms = [...asked.rooms].flatMap(([room_id, have]) => {
      const rev = room_id === ROOM ? this.rev : 1;
      const isReset = have !== null && have > rev;
      const above = have === null || isReset ? 0 : have;
      if (above === rev && have !== null && !isReset) return [];
      const messages = room_id === ROOM ? this.messages.slice(above, rev) : [];
      const from = isReset ? null : have;
      return [{ room_id, from, to: rev, rows: { messages }, reset: isReset }];
    });
    const memberships = [ROOM, ...this.others].map((room_id) => membership(1, { room_id }));
    const rows = asked.user === null ? { memberships } : {};
    const user = { from: asked.user, to: this.userRev, rows, dropped_rooms: [] };
    return readAnswer({ timeline: this.timeline, user, rooms, profiles: [], more: false });
  }

  async heads() {
    this.headsAsked += 1;
    const rooms = [
      { room_id: ROOM, rev: this.rev, epoch: 1 },
      ...this.others.map((room_id) => ({ room_id, rev: 1, epoch: 1 })),
    ];
    return readHeads({
      ...this.versions,
      timeline: this.timeline,
      user: { rev: this.userRev, epoch: 1 },
      rooms,
    });
  }

  async profiles() {
    return [];
  }

  async select() {
    return [];
  }

  async upload() {}

  async download() {
    return new Blob();
  }
}
