/**
 * Writing rows of a table of the app's own into the copy, always together with how far they go.
 *
 * Each row has entries, the keys of one index over all tables: its owner, its key, a value for each column that
 * the app names, and the time by which it grows old. Values are there as JSON, since the index knows no null.
 */
import { change } from "./change.ts";
import type { Draft } from "./draft.ts";
import { type Json, millisecondsOf } from "./rows.ts";
import { type Key, type Range, type Reader, under, type Writer } from "./storage/storage.ts";
import type { TableRecord, TableRowRecord } from "./storage/tables.ts";
import type { AskedOwners, OwnerAnswer, TableAnswer, TaggedRow } from "./table_answer.ts";
import { dropOwner, ownerEntry, removeRows } from "./table_drops.ts";
import type { Scalar, TableKey, TableOptions } from "./table_types.ts";
import type { Change } from "./types.ts";

const DAY_MS = 86_400_000;

/** What an answer changed, and whether it brought anything. */
export interface Applied {
  readonly changes: readonly Change[];
  readonly is_news: boolean;
}

/** Make the table known, with the entries that the app wants now. */
export async function prepareTable(draft: Draft, options: TableOptions): Promise<void> {
  const { name } = options;
  const wanted = { indexes: options.indexes ?? [], newest: options.newest?.column ?? null };
  const there = await draft.tx.get("tables", name);
  const { indexes = [], newest = null } = there ?? {};
  const subset = JSON.stringify([options.where ?? {}, options.newest ?? null]);
  const table: TableRecord = {
    ...(there ?? unknownTable(name)),
    ...wanted,
    subset,
    is_whole: there?.subset === subset && there.is_whole,
  };
  await draft.tx.put("tables", table);
  if (JSON.stringify({ indexes, newest }) === JSON.stringify(wanted)) return;
  for (const record of await draft.tx.list("table_rows", under([name]))) {
    await draft.tx.put("table_rows", { ...record, entries: entriesOf(table, record) });
  }
}

/** How far the copy of a table goes, as the server wants to be told. */
export async function askedWith(tx: Reader, name: string): Promise<AskedOwners> {
  const table = (await tx.get("tables", name)) ?? unknownTable(name);
  const owners = await tx.list("table_owners", under([name]));
  const { timeline, drops } = table;
  const known = owners.filter((each) => each.timeline === timeline);
  return {
    timeline,
    drops,
    owners: new Map(known.map(({ owner_id, cursor }) => [owner_id, cursor])),
  };
}

/** Write what a pull brought. Null, with nothing written, where it was asked before a tenant was left. */
export async function applyTable(
  draft: Draft,
  name: string,
  asked: AskedOwners,
  answer: TableAnswer,
): Promise<Applied | null> {
  const { tx } = draft;
  const there = await tx.get("tables", name);
  if (there === undefined || there.drops !== asked.drops) return null;
  const { timeline, owner, key, more } = answer;
  const table = { ...there, timeline, owner, key, is_whole: !more, fault: null };
  const keys: TableKey[] = [];
  let isFresh = answer.dropped.length > 0;
  for (const ownerId of answer.dropped) await dropOwner(tx, name, ownerId);
  for (const { owner_id, is_reset, rows, gone, cursor, fetched, about } of answer.owners) {
    if (is_reset) await removeRows(tx, ownerEntry(name, owner_id));
    isFresh ||= is_reset;
    for (const tag of gone) {
      const row = await tx.get("table_rows", [name, tag]);
      // It may have moved to another owner meanwhile.
      if (row?.owner_id !== owner_id) continue;
      await tx.remove("table_rows", [name, tag]);
      keys.push(keyOf(key, row.key));
    }
    for (const tagged of rows) {
      const record = recordOf(table, owner_id, tagged);
      await draft.put("table_rows", record);
      keys.push(keyOf(key, record.key));
    }
    await putOwner(tx, name, timeline, { owner_id, cursor, fetched, about });
  }
  if (!more) {
    // In this history, these are not this account's.
    for (const each of await tx.list("table_owners", under([name]))) {
      if (each.timeline === timeline) continue;
      await dropOwner(tx, name, each.owner_id);
      isFresh = true;
    }
  }
  const isOver = there.is_whole === more || there.fault !== null;
  if (JSON.stringify(table) !== JSON.stringify(there)) await tx.put("tables", table);
  const isNews = isFresh || answer.owners.length > 0;
  const tell = isNews || isOver;
  return {
    changes: tell ? [change(null, { table: { name, keys, is_fresh: isFresh, fault: null } })] : [],
    is_news: isNews,
  };
}

/** Write how far an owner goes. Only the first page tells about how many rows there are. */
async function putOwner(
  tx: Writer,
  table: string,
  timeline: string,
  { owner_id, cursor, fetched, about }: Pick<
    OwnerAnswer,
    "owner_id" | "cursor" | "fetched" | "about"
  >,
): Promise<void> {
  const before = about === null ? await tx.get("table_owners", [table, owner_id]) : undefined;
  const known = fetched === null ? null : (about ?? before?.about ?? null);
  await tx.put("table_owners", { table, owner_id, timeline, cursor, fetched, about: known });
}

/** Delete the rows that are too old now; returns whether there were some. */
export async function pruneTable(draft: Draft, options: TableOptions): Promise<Change[]> {
  const { name, newest } = options;
  if (newest === undefined) return [];
  const table = await draft.tx.get("tables", name);
  if (table === undefined) return [];
  const span = under([name, "newest"], 0, Date.now() - newest.days * DAY_MS);
  const old = await draft.tx.rowsWith(span);
  for (const { tag } of old) await draft.tx.remove("table_rows", [name, tag]);
  const keys = old.map((each) => keyOf(table.key, each.key));
  return keys.length === 0
    ? []
    : [change(null, { table: { name, keys, is_fresh: false, fault: table.fault } })];
}

/** Note what is in the way of a table; returns what to tell. */
export async function noteFault(draft: Draft, name: string, fault: string): Promise<Change[]> {
  const table = await draft.tx.get("tables", name);
  if (table === undefined || table.fault === fault) return [];
  await draft.tx.put("tables", { ...table, fault });
  return [change(null, { table: { name, keys: [], is_fresh: false, fault } })];
}

/** The entry of a key. */
export function keyEntry(table: string, key: readonly unknown[]): readonly string[] {
  return [table, "key", JSON.stringify(key)];
}

/** The entries of the keys that begin with a value, of keys with so many columns. */
export function keysUnder(table: string, value: unknown, columns: number): Range {
  if (columns === 1) return under(keyEntry(table, [value]));
  const begin = JSON.stringify([value]).slice(0, -1);
  // A comma follows the value in all of them, and "-" is the character after it.
  return { from: [table, "key", `${begin},`], to: [table, "key", `${begin}-`] };
}

/** The entry of a value in a column. */
export function columnEntry(table: string, column: string, value: unknown): readonly string[] {
  return [table, "column", column, JSON.stringify(value)];
}

/** Tell whether a JSON value is one that can be compared. */
export function isScalar(value: unknown): value is Scalar {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function recordOf(table: TableRecord, owner_id: string, { tag, row }: TaggedRow): TableRowRecord {
  // (A column of the key that this account may not see is not in the row.)
  const key = table.key.map((column) => (row[column] ?? null) as Json);
  const record = { table: table.name, tag, owner_id, key, row };
  return { ...record, entries: entriesOf(table, record) };
}

function entriesOf(
  { name, indexes, newest }: TableRecord,
  { owner_id, key, row }: Omit<TableRowRecord, "entries">,
): Key[] {
  const entries: Key[] = [ownerEntry(name, owner_id), keyEntry(name, key)];
  if (row === null) return entries;
  for (const column of indexes) {
    const value = row[column];
    if (isScalar(value)) entries.push(columnEntry(name, column, value));
  }
  const time = newest === null ? 0 : timeOf(row[newest]);
  if (time > 0) entries.push([name, "newest", time]);
  return entries;
}

/** The time in a column, in milliseconds since 1970; one without a zone is UTC, as it is for the server. */
function timeOf(value: unknown): number {
  const hasZone = typeof value !== "string" || /T.*(Z|[+-]\d\d(:?\d\d)?)$/.test(value);
  // (A date alone is read as UTC already.)
  return millisecondsOf(hasZone || !value.includes("T") ? value : `${value}Z`);
}

/** A key as an app meets it. */
function keyOf(columns: readonly string[], values: readonly Json[]): TableKey {
  if (values.length === 1) return values[0] as Scalar;
  return Object.fromEntries(columns.map((column, at) => [column, values[at] as Scalar]));
}

function unknownTable(name: string): TableRecord {
  return {
    name,
    indexes: [],
    newest: null,
    subset: "",
    timeline: null,
    drops: 0,
    owner: null,
    key: [],
    is_whole: false,
    fault: null,
  };
}
