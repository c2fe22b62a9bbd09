/** A client without a copy or a server: tests say what is in it, and when it changes. */

import { change } from "../src/change.ts";
import { ParleyError } from "../src/errors.ts";
import { Feed } from "../src/feed.ts";
import type { Parley } from "../src/parley.ts";
import type { Row } from "../src/rows.ts";
import type { Change, Message, Room, Status } from "../src/types.ts";

export const ROOM = "00000000-0000-4000-8000-0000000000a1";
export const OTHER = "00000000-0000-4000-8000-0000000000a2";
const ANN = "00000000-0000-4000-8000-00000000000a";

/** A message as a hook gets it. */
export function message(seq: number | null, body: string, more: Partial<Message> = {}): Message {
  return {
    room_id: ROOM,
    seq,
    id: null,
    sender_id: ANN,
    sender_label: null,
    client_id: `${seq}`,
    kind: "text",
    body,
    reply_to: null,
    thread_root: null,
    mentions: [],
    mention_all: false,
    attachments: [],
    metadata: {},
    edited_at: null,
    deleted_at: null,
    created_at: "2026-11-29T12:00:00.000000+00:00",
    rev: seq,
    state: seq === null ? "pending" : "sent",
    reason: "",
    item_id: null,
    reactions: {},
    is_pinned: false,
    is_folded: false,
    is_unreadable: false,
    ...more,
  };
}

/** A line of the start screen. */
export function line(id: string, more: Partial<Room> = {}): Room {
  return {
    id,
    row: null,
    name: "Trip",
    last_message: null,
    unread: 0,
    mentions: 0,
    marked_unread: false,
    preferences: null,
    other_id: null,
    active_at: "",
    ...more,
  };
}

export class FakeParley {
  messages: Message[] = [];
  older: Message[] = [];
  rooms: Room[] = [line(ROOM), line(OTHER)];
  /** Rows of tables of the app's own. */
  tables: Record<string, Row[]> = {};
  typists: string[] = [];
  present: string[] = [];
  notificationsReadSeq = 0;
  /** Rooms that are on the screen, and how often somebody listens. */
  readonly open: string[] = [];
  listeners = 0;
  readonly parley: Parley;
  readonly #feed = new Feed();
  #status: Status = {
    state: "live",
    me: ANN,
    is_leader: true,
    is_behind: false,
    fault: null,
  };

  constructor() {
    // Everything is made anew by each read, as it is when it comes from a database.
    const read = <T>(what: () => T): Promise<T> =>
      this.#status.me === null
        ? Promise.reject(new ParleyError("sign_in_required", "Nobody is signed in."))
        : Promise.resolve(structuredClone(what()));
    const fake = {
      status: () => this.#status,
      rooms: () => read(() => this.rooms),
      room: (id: string) => read(() => this.rooms.find((room) => room.id === id) ?? null),
      messages: (_: string, { page_size = 50 }) => read(() => this.messages.slice(-page_size)),
      notifications: () => read(() => []),
      table: (name: string) => ({
        rows: (where: Row) =>
          read(() =>
            (this.tables[name] ?? []).filter((row) =>
              Object.entries(where).every(([column, value]) => row[column] === value)
            )
          ),
        progress: () =>
          read(() => ({
            fetched: this.tables[name]?.length,
            about: 3,
            is_done: false,
            fault: null,
          })),
      }),
      typists: () => [...this.typists],
      present: () => [...this.present],
      markNotificationsRead: async (seq: number) => void (this.notificationsReadSeq = seq),
      typing: () => undefined,
      open: (id: string) => {
        this.open.push(id);
        return () => this.open.splice(this.open.indexOf(id), 1);
      },
      send: (_: string, body: string) => {
        this.messages.push(message(null, body));
        this.tell(change(ROOM));
        return read(() => this.messages.at(-1));
      },
      older: () => {
        const count = this.older.length;
        this.messages.unshift(...this.older.splice(0));
        this.tell(change(ROOM));
        return Promise.resolve(count);
      },
      subscribe: (listener: (changes: readonly Change[]) => void) => {
        this.listeners += 1;
        const stop = this.#feed.subscribe(listener);
        return () => {
          this.listeners -= 1;
          stop();
        };
      },
    };
    this.parley = Object.defineProperty(fake, "status", { get: fake.status }) as unknown as Parley;
  }

  /** Tell of changes. */
  tell(...changes: Change[]): void {
    this.#feed.emit(changes);
  }

  /** Somebody else is signed in, or nobody. */
  become(me: string | null): void {
    this.#status = { ...this.#status, me, state: me === null ? "signed_out" : "live" };
    this.tell();
  }
}
