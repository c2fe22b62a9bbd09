/** An answer of `pull_table`, read without trusting its form. */
import { isId, isNumber, isObject, isText, refused, type Row } from "./rows.ts";
import { list, member } from "./steps.ts";

/** What was asked with: how far the copy of each owner goes. */
export interface AskedOwners {
  readonly timeline: string | null;
  readonly drops: number;
  readonly owners: ReadonlyMap<string, Row>;
}

/** A row with what the server calls it. */
export interface TaggedRow {
  readonly tag: string;
  readonly row: Row;
}

/** What there is to tell about the rows of one owner. With `is_reset` they replace what was there. */
export interface OwnerAnswer {
  readonly owner_id: string;
  readonly is_reset: boolean;
  readonly rows: readonly TaggedRow[];
  readonly gone: readonly string[];
  readonly cursor: Row;
  readonly more: boolean;
  readonly fetched: number | null;
  readonly about: number | null;
}

export interface TableAnswer {
  readonly timeline: string;
  readonly owner: "tenant" | "user";
  readonly key: readonly string[];
  readonly owners: readonly OwnerAnswer[];
  readonly dropped: readonly string[];
  readonly more: boolean;
}

/** Read an answer about a table that was asked for as `me`. Throws `answer_refused`. */
export function readTableAnswer(
  value: unknown,
  name: string,
  asked: AskedOwners,
  me: string,
): TableAnswer {
  const timeline = member(value, "timeline");
  const more = member(value, "more");
  const table = member(value, "table");
  const owner = member(table, "owner");
  const key = list(member(table, "key"), "columns of the key");
  if (!isText(timeline) || typeof more !== "boolean") {
    throw refused("it has no timeline, or does not say whether there is more");
  }
  if (member(table, "name") !== name) throw refused("it is about another table");
  if (owner !== "tenant" && owner !== "user") throw refused("nobody owns the rows");
  if (key.length === 0 || !key.every(isText)) throw refused("the table has no key");
  const isKnown = (id: string) => asked.timeline === timeline && asked.owners.has(id);
  const owners = list(member(value, "owners"), "owners").map(readOwner);
  if (new Set(owners.map((each) => each.owner_id)).size < owners.length) {
    throw refused("an owner is in it twice");
  }
  for (const { owner_id, is_reset } of owners) {
    if (!is_reset && !isKnown(owner_id)) throw refused("it goes on from what was not asked with");
    if (owner === "user" && owner_id !== me) throw refused("there are rows of somebody else");
  }
  const dropped = list(member(value, "dropped"), "dropped owners");
  if (!dropped.every(isId)) throw refused("there is a dropped owner without an id that can be");
  return { timeline, owner, key, owners, dropped, more };
}

/**
 * Whether the next page may be older: it goes on with first fetches alone.
 *
 * An owner whose first fetch has ended may have rows that are newer than its cursor says, until another answer told
 * what changed meanwhile.
 */
export function mayGoOnLate({ owners }: TableAnswer): boolean {
  return owners.length > 0 && owners.every(({ fetched }) => fetched !== null);
}

function readOwner(value: unknown): OwnerAnswer {
  const owner_id = member(value, "owner_id");
  const is_reset = member(value, "reset");
  const cursor = member(value, "cursor");
  const more = member(value, "more");
  if (!isId(owner_id) || typeof is_reset !== "boolean" || typeof more !== "boolean") {
    throw refused("there is an owner without an id, or it does not say whether there is more");
  }
  if (!isObject(cursor)) throw refused("there is an owner without a cursor");
  const gone = list(member(value, "gone"), "rows that are gone");
  if (!gone.every(isTag)) throw refused("there is a row that is gone and has no tag");
  return {
    owner_id,
    is_reset,
    rows: list(member(value, "rows"), "rows").map(readTagged),
    gone,
    cursor,
    more,
    fetched: readCount(value as Row, "fetched"),
    about: readCount(value as Row, "about"),
  };
}

function readTagged(value: unknown): TaggedRow {
  const tag = member(value, "tag");
  const row = member(value, "row");
  if (!isTag(tag) || !isObject(row)) throw refused("there is a row without a tag or columns");
  return { tag, row };
}

function readCount(value: Row, name: string): number | null {
  const count = value[name] ?? null;
  if (count !== null && !isNumber(count)) throw refused(`${name} is no number`);
  return count;
}

function isTag(value: unknown): value is string {
  return isText(value) && value !== "";
}
