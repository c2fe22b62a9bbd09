/** Reading rows of a table of the app's own out of the copy. */
import type { Json, Row } from "./rows.ts";
import { type Reader, under } from "./storage/storage.ts";
import type { TableRowRecord } from "./storage/tables.ts";
import { columnEntry, isScalar, keyEntry, keysUnder } from "./table_rows.ts";
import type { TableKey, TableProgress } from "./table_types.ts";

/** The rows that equal something, in the order of their keys. */
export async function readRows(tx: Reader, name: string, where: Row): Promise<Row[]> {
  const given = Object.entries(where).filter(([, value]) => value !== undefined);
  const wanted = new Map<string, readonly unknown[]>(
    given.map(([column, value]) => [column, Array.isArray(value) ? value : [value]]),
  );
  const isWanted = ({ row }: TableRowRecord) =>
    row !== null && [...wanted].every(([column, values]) => values.includes(row[column]));
  const records = (await candidates(tx, name, wanted)).filter(isWanted);
  return records.sort(byKey).map((record) => record.row as Row);
}

/** The row with a key; null when there is none. */
export async function readRow(tx: Reader, name: string, key: TableKey): Promise<Row | null> {
  const columns = (await tx.get("tables", name))?.key ?? [];
  const values = isScalar(key) ? [key] : columns.map((column) => key[column] ?? null);
  const [record] = await tx.rowsWith(under(keyEntry(name, values)), 1);
  return record?.row ?? null;
}

/** How far the first fetch of a table is. */
export async function readProgress(tx: Reader, name: string): Promise<TableProgress> {
  const table = await tx.get("tables", name);
  const owners = await tx.list("table_owners", under([name]));
  const fetching = owners.filter((each) => each.fetched !== null);
  const fetched = await tx.count("table_rows", under([name]));
  const missing = fetching.map((each) => Math.max((each.about ?? 0) - (each.fetched ?? 0), 0));
  return {
    fetched,
    about: missing.reduce((sum, each) => sum + each, fetched),
    is_done: table?.is_whole === true && fetching.length === 0,
    fault: table?.fault ?? null,
  };
}

/** The tenants whose tables are here: their dashboards tell of changes. Null without such a table. */
export async function tenantsOf(tx: Reader): Promise<readonly string[] | null> {
  const ofTenants = (await tx.list("tables")).filter((each) => each.owner === "tenant");
  if (ofTenants.length === 0) return null;
  const names = new Set(ofTenants.map((each) => each.name));
  const owners = (await tx.list("table_owners")).filter((each) => names.has(each.table));
  return [...new Set(owners.map((each) => each.owner_id))].sort();
}

/**
 * Rows among which the wanted ones are: those with an entry for one of the columns, where one has entries, else all.
 *
 * A key of one column tells the most; one of several often begins with what many rows share, such as a tenant.
 */
async function candidates(
  tx: Reader,
  name: string,
  wanted: ReadonlyMap<string, readonly unknown[]>,
): Promise<TableRowRecord[]> {
  const { indexes = [], key = [] } = (await tx.get("tables", name)) ?? {};
  const first = key.slice(0, 1);
  const columns = key.length === 1 ? [...first, ...indexes] : [...indexes, ...first];
  const column = columns.find((each) => wanted.has(each));
  if (column === undefined) return tx.list("table_rows", under([name]));
  const entriesWith = (value: unknown) =>
    column === key[0]
      ? keysUnder(name, value, key.length)
      : under(columnEntry(name, column, value));
  const lists = await Promise.all(
    [...new Set(wanted.get(column))].map((value) => tx.rowsWith(entriesWith(value))),
  );
  return lists.flat();
}

function byKey(a: TableRowRecord, b: TableRowRecord): number {
  for (const [at, value] of a.key.entries()) {
    const order = compare(value, b.key[at] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

function compare(a: Json, b: Json): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [one, other] = [String(a), String(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}
