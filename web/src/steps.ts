/**
 * What the server says: steps, pull answers and heads, read without trusting their form.
 *
 * An answer whose envelope or keys make no sense is refused whole. What else is in the rows stays as it came
 * until somebody looks at it.
 */
import { ParleyError } from "./errors.ts";
import { checkRows, ROOM_KINDS, USER_KINDS } from "./kinds.ts";
import { isId, isNumber, isObject, isText, refused, type Row, type Rows } from "./rows.ts";
import { checkVersions } from "./versions.ts";

/**
 * Numbers `begin + 1` to `to` of one stream. `room_id` is null for the own stream.
 *
 * `begin` is null when the rows replace what was there; `rows` is null when they were left out and must be
 * pulled. In the own stream, notifications up to `notifications_read_seq` are read. `older` is how many
 * messages before those in the copy are not read, and how many of them mention us.
 */
export interface Step {
  readonly room_id: string | null;
  readonly begin: number | null;
  readonly to: number;
  readonly rows: Rows | null;
  readonly dropped_rooms: readonly string[];
  readonly dropped_tenants: readonly string[];
  /** This account may be in other tenants than before. */
  readonly tells_of_places: boolean;
  readonly notifications_read_seq: number | null;
  readonly older: readonly [unread: number, mentions: number] | null;
}

/** An answer of `pull_changes`. `user` is null on another timeline. */
export interface Answer {
  readonly timeline: string;
  readonly user: Step | null;
  readonly rooms: readonly Step[];
  readonly profiles: readonly Row[];
  readonly seen: string | null;
  readonly more: boolean;
}

/** Where a stream stands, and what its topics are called. */
export interface Head {
  readonly rev: number;
  readonly epoch: number;
}

/** An answer of `list_heads`. */
export interface Heads {
  readonly timeline: string;
  readonly user: Head;
  readonly rooms: ReadonlyMap<string, Head>;
}

const NOTHING = {
  dropped_rooms: [],
  dropped_tenants: [],
  tells_of_places: false,
  notifications_read_seq: null,
  older: null,
} as const;

/** Read the payload of an event; null when it is no step. Rows that make no sense are as good as none. */
export function readStep(value: unknown): Step | null {
  if (!isObject(value)) return null;
  const { from: begin, to } = value;
  const isOfRoom = "room_id" in value;
  const owner = value[isOfRoom ? "room_id" : "user_id"];
  if (!isId(owner) || !isNumber(begin) || !isNumber(to) || begin >= to) return null;
  const room_id = isOfRoom ? owner : null;
  try {
    return {
      ...NOTHING,
      room_id,
      begin,
      to,
      rows: readRows(value["rows"], to, room_id),
      dropped_tenants: readIds(value["dropped_tenants"] ?? [], "dropped tenants"),
      tells_of_places: "dropped_tenants" in value,
      notifications_read_seq: readMark(value["notifications_read_seq"]),
    };
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    return { ...NOTHING, room_id, begin, to, rows: null };
  }
}

/** Read an answer of `pull_changes`. Throws `answer_refused`. */
export function readAnswer(value: unknown): Answer {
  const timeline = member(value, "timeline");
  const user = member(value, "user");
  const more = member(value, "more");
  const rooms = list(member(value, "rooms"), "rooms");
  const seen = (value as Row)["seen"] ?? null;
  if (seen !== null && !isText(seen)) throw refused("its snapshot is no text");
  if (!isText(timeline) || typeof more !== "boolean") {
    throw refused("it has no timeline, or does not say whether there is more");
  }
  const steps = rooms.map((each) => readRoom(each, !more));
  if (new Set(steps.map((each) => each.room_id)).size < steps.length) {
    throw refused("a room is in it twice");
  }
  return {
    timeline,
    user: user === null ? null : readUser(user),
    rooms: steps,
    profiles: readProfiles(member(value, "profiles")),
    seen,
    more,
  };
}

/** Read an answer of `list_heads`. Throws `answer_refused`, `client_too_old`, `server_too_old`. */
export function readHeads(value: unknown): Heads {
  const timeline = member(value, "timeline");
  const [version, lowest] = [member(value, "version"), member(value, "lowest_client")];
  if (!isText(version) || !isText(lowest)) throw refused("the heads do not name a version");
  checkVersions(version, lowest);
  if (!isText(timeline)) throw refused("the heads have no timeline");
  const rooms = new Map<string, Head>();
  for (const each of list(member(value, "rooms"), "rooms")) {
    const id = member(each, "room_id");
    if (!isId(id) || rooms.has(id)) throw refused("a room is in the heads twice, or has no id");
    rooms.set(id, readHead(each));
  }
  return { timeline, user: readHead(member(value, "user")), rooms };
}

/** Read profiles. Throws `answer_refused`. */
export function readProfiles(value: unknown): readonly Row[] {
  const profiles = list(value, "profiles");
  for (const each of profiles) {
    if (!isId(member(each, "user_id"))) throw refused("there is a profile of nobody");
  }
  return profiles as readonly Row[];
}

/** What an object holds under a name. Throws `answer_refused` when there is nothing. */
export function member(value: unknown, name: string): unknown {
  if (!isObject(value) || !(name in value)) throw refused(`${name} is missing`);
  return value[name];
}

/** A list. Throws `answer_refused` when it is none. */
export function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw refused(`${name} are no list`);
  return value;
}

function readRoom(value: unknown, isLast: boolean): Step {
  const room_id = member(value, "room_id");
  const begin = member(value, "from");
  const to = member(value, "to");
  const reset = member(value, "reset");
  if (!isId(room_id) || typeof reset !== "boolean" || !isNumber(to) || !isBefore(begin, to)) {
    throw refused("there is a room without an id or numbers that can be");
  }
  // Where a message has more reactions than fit, a window ends at a number before those of the room and its
  // people, and the next answers bring the reactions.
  const highest = isLast || begin !== null ? to : Number.MAX_SAFE_INTEGER;
  const rows = readRows(member(value, "rows"), highest, room_id);
  return {
    ...NOTHING,
    room_id,
    begin: reset ? null : begin,
    to,
    rows,
    older: readOlder(value as Row),
  };
}

function readUser(value: unknown): Step {
  const begin = member(value, "from");
  const to = member(value, "to");
  if (!isNumber(to) || !isBefore(begin, to)) {
    throw refused("the own stream has no numbers that can be");
  }
  return {
    ...NOTHING,
    room_id: null,
    begin,
    to,
    rows: readRows(member(value, "rows"), to, null),
    dropped_rooms: readIds(member(value, "dropped_rooms"), "dropped rooms"),
    dropped_tenants: readIds((value as Row)["dropped_tenants"] ?? [], "dropped tenants"),
    tells_of_places: "dropped_tenants" in (value as Row),
    notifications_read_seq: readMark((value as Row)["notifications_read_seq"]),
  };
}

function readHead(value: unknown): Head {
  const rev = member(value, "rev");
  const epoch = member(value, "epoch");
  if (!isNumber(rev) || !isNumber(epoch)) {
    throw refused("there is a head without numbers that can be");
  }
  return { rev, epoch };
}

function isBefore(begin: unknown, to: number): begin is number | null {
  return begin === null || (isNumber(begin) && begin <= to);
}

function readRows(value: unknown, to: number, roomId: string | null): Rows {
  return checkRows(roomId === null ? USER_KINDS : ROOM_KINDS, value, to, roomId);
}

function readOlder(value: Row): readonly [number, number] | null {
  const unread = value["older_unread"] ?? null;
  const mentions = value["older_mentions"] ?? null;
  if (unread === null && mentions === null) return null;
  if (!isNumber(unread) || !isNumber(mentions)) {
    throw refused("what is not read before the copy is no number");
  }
  return [unread, mentions];
}

function readIds(value: unknown, name: string): readonly string[] {
  const ids = list(value, name);
  if (!ids.every(isId)) throw refused(`there is one of the ${name} without an id that can be`);
  return ids as readonly string[];
}

function readMark(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (!isNumber(value)) throw refused("the mark of notifications is no number");
  return value;
}
