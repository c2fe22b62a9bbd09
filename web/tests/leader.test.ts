/** The tab that leads, without a socket: why it asks for tables of the app's own. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Leader } from "../src/leader.ts";
import { openMemory } from "../src/storage/memory.ts";
import { readRows } from "../src/table_reads.ts";
import type { TableOptions } from "../src/table_types.ts";
import { FakeTable, ME, NAME, payment } from "./table_fakes.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const channel = {
  on: () => channel,
  subscribe: () => channel,
};
const supabase = {
  realtime: { setAuth: async () => undefined, isConnected: () => false },
  channel: () => channel,
  removeChannel: async () => undefined,
} as unknown as SupabaseClient;

test("a replica may answer for tables where the time, and nothing else, is why they are asked for", async () => {
  const server = new FakeTable(payment(1));
  const storage = await openMemory("");
  const tables = {
    options: [{ name: NAME } as TableOptions],
    load: () => import("../src/tables.ts"),
  };
  const office = { tell: () => undefined, doubt: () => undefined };
  const leader = new Leader(supabase, server, storage, ME, tables, office, () => 0);
  const ids = async () =>
    (await storage.read((tx) => readRows(tx, NAME, {}))).map((row) => row["id"]);
  await leader.begin();
  await vi.waitFor(async () => expect(await ids()).toEqual([1]));
  await vi.advanceTimersByTimeAsync(1000);
  expect(server.late).not.toContain(true);
  server.late.length = 0;
  server.put(payment(2));
  await vi.advanceTimersByTimeAsync(5000);
  expect(await ids()).toEqual([1, 2]);
  expect(server.late).toEqual([true]);
  server.late.length = 0;
  leader.lookAgain();
  await vi.advanceTimersByTimeAsync(1000);
  expect(server.late).toEqual([false]);
  leader.end();
});
