/**
 * Who is online: this page says every half a minute that it is in front, and asks about the people on it.
 *
 * All components share one question, so a list of a hundred people is one request.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { useCallback, useSyncExternalStore } from "react";
import type { ListedPresence } from "../src/api.ts";
import { usePage } from "./page.ts";

const PAUSE_MS = 30_000;
const MOST = 200;

class Watch {
  readonly #wanted = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #found = new Map<string, ListedPresence>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly supabase: SupabaseClient) {}

  find(user_id: string): ListedPresence | null {
    return this.#found.get(user_id) ?? null;
  }

  follow(user_id: string, listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#wanted.set(user_id, (this.#wanted.get(user_id) ?? 0) + 1);
    if (!this.#found.has(user_id)) this.#askIn(0);
    return () => {
      this.#listeners.delete(listener);
      const left = (this.#wanted.get(user_id) ?? 1) - 1;
      if (left > 0) this.#wanted.set(user_id, left);
      else this.#wanted.delete(user_id);
    };
  }

  #askIn(pause_ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), pause_ms);
  }

  async #ask(): Promise<void> {
    const user_ids = [...this.#wanted.keys()].slice(0, MOST);
    if (user_ids.length > 0 && document.visibilityState === "visible") {
      const { data } = await this.supabase.schema("chat").rpc("list_presence", { user_ids });
      const rows = (data ?? []) as ListedPresence[];
      const next = new Map(rows.map((row) => [row.user_id, row]));
      for (const [id, row] of next) {
        const there = this.#found.get(id);
        if (JSON.stringify(there) === JSON.stringify(row)) next.set(id, there ?? row);
      }
      this.#found = next;
      for (const listener of [...this.#listeners]) listener();
    }
    this.#askIn(PAUSE_MS);
  }
}

const watches = new WeakMap<SupabaseClient, Watch>();

function watchOf(supabase: SupabaseClient): Watch {
  const watch = watches.get(supabase) ?? new Watch(supabase);
  watches.set(supabase, watch);
  return watch;
}

/** Whether somebody is online, and when they last were; null where that is not told. */
export function usePresence(user_id: string): ListedPresence | null {
  const watch = watchOf(usePage().supabase);
  const follow = useCallback(
    (listener: () => void) => watch.follow(user_id, listener),
    [watch, user_id],
  );
  return useSyncExternalStore(follow, () => watch.find(user_id));
}
