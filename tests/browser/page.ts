/** What the tests in real browsers call: everything here is on `globalThis`. */

import { createClient } from "@supabase/supabase-js";

import {
  type Change,
  createParley,
  openIndexedDb,
  type Parley,
  type TableOptions,
  TABLES,
} from "../../web/src/index.ts";
import { foldText } from "../../web/src/words.ts";
import { counts, faults, fuzz } from "./line.ts";
import { speed } from "./speed.ts";

const NAME = "tests";

/** Begin to chat as whoever is signed in on this device, or signs in now; `tables` are in the copy too. */
async function begin(
  { words: [url, key, email, password], tables }: { words: string[]; tables: TableOptions[] },
): Promise<string | null> {
  const supabase = createClient(url as string, key as string, { realtime: { worker: true } });
  const parley = createParley({ supabase, name: NAME, tables });
  const changes: Change[] = [];
  parley.subscribe((some) => changes.push(...some));
  Object.assign(globalThis, { supabase, parley, changes });
  if (email !== undefined && password !== undefined) {
    const { data, error } = await supabase.auth.signInWithPassword({ email, password });
    if (error !== null) throw error;
    while (parley.status.me !== data.user.id) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await parley.ready;
  return parley.status.me;
}

/** All records of the copy of an account, by table; as text, in which every key arrives as it is. */
async function dump(me: string): Promise<string> {
  const storage = await openIndexedDb(`parley:${NAME}:${me}`);
  try {
    const tables = await storage.read((tx) =>
      Promise.all(TABLES.map(async (table) => [table, await tx.list(table)] as const)),
    );
    return JSON.stringify(Object.fromEntries(tables));
  } finally {
    await storage.close();
  }
}

declare global {
  var parley: Parley;
  var changes: Change[];
}

Object.assign(globalThis, { createClient, foldText, begin, dump, speed });
Object.assign(globalThis, { faults, lineCounts: counts, fuzz });
