import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createParley } from "../src/client.ts";
import { ParleyError } from "../src/errors.ts";
import { openMemory } from "../src/storage/memory.ts";
import type { Surroundings } from "../src/surroundings.ts";
import { ME } from "./fakes.ts";

/** A client of supabase-js with nobody behind it; somebody signs in, and may sign out. */
function offline() {
  let tell: (event: string, session: unknown) => void = () => undefined;
  const nowhere = { data: null, error: { message: "Failed to fetch" }, status: 0 };
  const supabase = {
    auth: {
      onAuthStateChange: (listener: typeof tell) => {
        tell = listener;
        return { data: { subscription: { unsubscribe: () => undefined } } };
      },
      getSession: () => Promise.resolve({ data: { session: null }, error: null }),
      refreshSession: () => Promise.resolve({ data: { session: null }, error: null }),
    },
    schema: () => ({ rpc: () => ({ abortSignal: () => Promise.resolve(nowhere) }) }),
    realtime: { isConnected: () => false, setAuth: () => Promise.resolve() },
  };
  return {
    supabase: supabase as unknown as SupabaseClient,
    signIn: () => tell("SIGNED_IN", { user: { id: ME } }),
    signOut: () => tell("SIGNED_OUT", null),
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const around: Surroundings = {
  locks: null,
  openChannel: () => null,
  isVisible: () => true,
  onVisibility: () => () => undefined,
  onReturn: () => () => undefined,
  remember: () => undefined,
  recall: () => null,
};

test("a copy that cannot be opened says why, and begins as soon as it can", async () => {
  const { supabase, signIn } = offline();
  let isLocked = true;
  const storage = vi.fn((name: string) =>
    isLocked
      ? Promise.reject(new ParleyError("store_unusable", "It is locked.", "Unlock it."))
      : openMemory(name)
  );
  const parley = createParley({ supabase, name: "tests", storage, around });
  signIn();
  await vi.advanceTimersByTimeAsync(100);
  await expect(parley.rooms()).rejects.toMatchObject({ slug: "store_unusable" });
  expect(parley.status).toMatchObject({ me: ME, fault: "It is locked." });
  isLocked = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(parley.status.fault).toBeNull();
  expect(await parley.rooms()).toEqual([]);
  expect(storage).toHaveBeenCalledTimes(2);
  await parley.close();
});

test("a copy that cannot be opened is left alone when its owner signs out", async () => {
  const { supabase, signIn, signOut } = offline();
  const storage = vi.fn(() => Promise.reject(new ParleyError("store_unusable", "It is locked.")));
  const parley = createParley({ supabase, name: "tests", storage, around });
  signIn();
  await vi.advanceTimersByTimeAsync(100);
  await expect(parley.rooms()).rejects.toMatchObject({ slug: "store_unusable" });
  signOut();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(parley.status.state).toBe("signed_out");
  await expect(parley.rooms()).rejects.toMatchObject({ slug: "sign_in_required" });
  expect(storage).toHaveBeenCalledOnce();
  await parley.close();
});

test("a table of the app's own is read and followed as soon as somebody is signed in, without a network", async () => {
  const { supabase, signIn } = offline();
  const tables = [{ name: "public.notes" as const }];
  const parley = createParley({ supabase, name: "tests", storage: openMemory, around, tables });
  expect(() => parley.table("public.payments")).toThrow("not one of the tables");
  const notes = parley.table("public.notes");
  const reading = notes.rows();
  signIn();
  await vi.advanceTimersByTimeAsync(100);
  expect(await reading).toEqual([]);
  expect(await notes.get("a")).toBeNull();
  expect(await notes.progress()).toMatchObject({ fetched: 0, is_done: false, fault: null });
  const following = notes.changes().next();
  await parley.close();
  expect(await following).toEqual({ done: true, value: undefined });
  await expect(notes.rows()).rejects.toMatchObject({ slug: "chat_closed" });
});
