/** What leaves the copy of the app's own tables: rows of owners, and tables that the app names no more. */
import { under, type Writer } from "./storage/storage.ts";

/** So many rows are looked at together. */
const AT_ONCE = 1000;

/** What a row is found by, besides the columns that the app names: its owner, and its key. */
export function ownerEntry(table: string, ownerId: string): readonly string[] {
  return [table, "owner", ownerId];
}

/** Delete the rows of an owner in a table, and how far they go. */
export async function dropOwner(tx: Writer, table: string, ownerId: string): Promise<void> {
  await removeRows(tx, ownerEntry(table, ownerId));
  await tx.remove("table_owners", [table, ownerId]);
}

/** Delete all that is here of tenants that this account is not in any more. */
export async function dropTenants(tx: Writer, tenants: readonly string[]): Promise<void> {
  for (const table of await tx.list("tables")) {
    for (const tenant of tenants) await dropOwner(tx, table.name, tenant);
    await tx.put("tables", { ...table, drops: table.drops + 1 });
  }
}

/** Delete all that is here of tables with other names. */
export async function forgetTables(tx: Writer, kept: readonly string[]): Promise<void> {
  for (const { name } of await tx.list("tables")) {
    if (kept.includes(name)) continue;
    await tx.clear("table_rows", under([name]));
    await tx.clear("table_owners", under([name]));
    await tx.remove("tables", name);
  }
}

/** Delete the rows that have an entry. */
export async function removeRows(tx: Writer, entry: readonly string[]): Promise<void> {
  for (;;) {
    const some = await tx.rowsWith(under(entry), AT_ONCE);
    for (const { table, tag } of some) await tx.remove("table_rows", [table, tag]);
    if (some.length < AT_ONCE) return;
  }
}
