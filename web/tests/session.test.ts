/** Whose copy is shown, with an Auth of which only the events are there. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { followSession, Remembered } from "../src/session.ts";
import type { Surroundings } from "../src/surroundings.ts";
import { BOB, ME } from "./fakes.ts";

type Auth = SupabaseClient["auth"];
type Event = "SIGNED_OUT" | "SIGNED_IN" | "INITIAL_SESSION";

let texts: Map<string, string>;
let remembered: Remembered;
let told: string[];
let listeners: ((event: Event, session: object | null) => void)[];
/** What Auth answers when it is asked for the session. */
let found: { session: object | null; error: { name: string; status: number } | null };

beforeEach(() => {
  vi.useFakeTimers();
  texts = new Map();
  told = [];
  listeners = [];
  found = { session: null, error: null };
  remembered = new Remembered(
    {
      recall: (name: string) => texts.get(name) ?? null,
      remember: (name: string, text: string | null) =>
        void (text === null ? texts.delete(name) : texts.set(name, text)),
    } as unknown as Surroundings,
    "parley:app",
  );
});
afterEach(() => vi.useRealTimers());

function emit(event: Event, me: string | null = null): void {
  for (const listener of listeners) listener(event, me === null ? null : { user: { id: me } });
}

/** An Auth, as each tab has one; what happens in one of them all of them hear. */
function authOf(): Auth {
  return {
    onAuthStateChange(listener: (typeof listeners)[number]) {
      listeners.push(listener);
      return { data: { subscription: { unsubscribe: () => undefined } } };
    },
    getSession: async () => ({ data: { session: found.session }, error: found.error }),
    async signOut() {
      emit("SIGNED_OUT");
      return { error: null };
    },
  } as unknown as Auth;
}

function follow(auth = authOf(), name = ""): Auth {
  followSession(auth, remembered, {
    become(me) {
      remembered.me = me;
      told.push(`${name}become ${me}`);
    },
    leave(isForgetting) {
      if (isForgetting) remembered.me = null;
      told.push(`${name}${isForgetting ? "forget" : "leave"}`);
    },
  });
  return auth;
}

/** Begin on a device that somebody used before. */
async function begin(): Promise<void> {
  emit("INITIAL_SESSION");
  await vi.runAllTimersAsync();
}

test("signing out deletes the copy", async () => {
  const auth = follow();
  emit("SIGNED_IN", ME);
  await vi.runAllTimersAsync();
  await auth.signOut();
  await vi.runAllTimersAsync();
  expect(told).toEqual([`become ${ME}`, "forget"]);
  expect(remembered.me).toBe(null);
});

test("a session that Auth ended keeps the copy for whoever signs in again", async () => {
  remembered.me = ME;
  const auth = follow();
  // So it is, too, when the session is found to be over at the beginning.
  emit("SIGNED_OUT");
  await begin();
  emit("SIGNED_IN", ME);
  await vi.runAllTimersAsync();
  expect(told).toEqual(["leave", "leave", `become ${ME}`]);
  await auth.signOut();
  await vi.runAllTimersAsync();
  expect(told.at(-1)).toBe("forget");
});

test("a copy that is kept is not shown before its account is signed in again", async () => {
  remembered.me = ME;
  remembered.end();
  follow();
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual([]);
  await begin();
  expect(told).toEqual(["leave"]);
});

test("the copy of somebody who signed out elsewhere is deleted at the next beginning", async () => {
  remembered.me = ME;
  follow();
  await begin();
  expect(told).toEqual(["forget"]);
});

test("the copy of last time is shown while Auth is out of reach", async () => {
  remembered.me = ME;
  found.error = { name: "AuthRetryableFetchError", status: 0 };
  follow();
  await vi.advanceTimersByTimeAsync(1000);
  await begin();
  expect(told).toEqual([`become ${ME}`, `become ${ME}`]);
});

test("the tab in which somebody signs out deletes the copy, and the others let go of it", async () => {
  const auth = follow(authOf(), "here ");
  follow(authOf(), "there ");
  emit("SIGNED_IN", ME);
  await vi.runAllTimersAsync();
  told = [];
  await auth.signOut();
  await vi.runAllTimersAsync();
  expect(told.sort()).toEqual(["here forget", "there leave"]);
  expect(remembered).toMatchObject({ me: null, isEnded: false });
});

test("whoever signs in next has a copy of their own", async () => {
  follow();
  emit("SIGNED_IN", ME);
  emit("SIGNED_IN", BOB);
  await vi.runAllTimersAsync();
  expect(told).toEqual([`become ${ME}`, `become ${BOB}`]);
});

test("a client that was closed leaves Auth as it was", () => {
  const auth = authOf();
  const { signOut } = auth;
  const stop = followSession(auth, remembered, { become: () => {}, leave: () => {} });
  expect(auth.signOut).not.toBe(signOut);
  stop();
  expect(auth.signOut).toBe(signOut);
});
