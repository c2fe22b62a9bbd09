/** Chat that lives in your Supabase project, for the browser. */

export { createParley, type ParleyOptions } from "./client.ts";
export { ParleyError, type Slug } from "./errors.ts";
export type { ChatFunctions } from "./api.ts";
export type { Json, Row, Rows } from "./rows.ts";
export { openIndexedDb } from "./storage/indexeddb.ts";
export { openMemory } from "./storage/memory.ts";
export type { Key, OpenStorage, Range, Reader, Storage, Writer } from "./storage/storage.ts";
export { KEYS, type Records, type Table, TABLES } from "./storage/tables.ts";
export type * from "./types.ts";
