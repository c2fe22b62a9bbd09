/** Whether this person deals with reports, and how many are open. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { useCallback } from "react";
import { useQuery } from "../react/provider.ts";
import { type Loading, Query, queryOf } from "../react/query.ts";
import { refusalOf } from "../src/errors.ts";
import type { Parley } from "../src/index.ts";
import { useClient, usePage } from "./page.ts";

const PAUSE_MS = 60_000;
const MOST = 100;

export interface Duties extends Loading {
  /** The tenants of this person. */
  readonly tenants: readonly string[];
  /** Tenants that they administer. */
  readonly administered: readonly string[];
  /** They administer a tenant, or moderate a room. */
  readonly hasAny: boolean;
  /** The open reports that they deal with; it counts to 100. */
  readonly open: number;
}

const NONE: Duties = { tenants: [], administered: [], hasAny: false, open: 0, isLoading: true };

/** The duties, looked up every minute while the page is in front: nobody is told of a report. */
export function useDuties(): Duties {
  const { supabase } = usePage();
  const parley = useClient();
  return useQuery(queryOf(parley, "page duties", () => dutiesOf(parley, supabase)), NONE);
}

/** Look them up now. */
export function useDutiesRefresh(): () => Promise<void> {
  const { supabase } = usePage();
  const parley = useClient();
  return useCallback(
    () => queryOf(parley, "page duties", () => dutiesOf(parley, supabase)).refresh(),
    [parley, supabase],
  );
}

function dutiesOf(parley: Parley, supabase: SupabaseClient): Query<Duties> {
  const query: Query<Duties> = new Query<Duties>(parley, {
    empty: NONE,
    read: () => find(supabase, parley.status.me ?? ""),
    isAbout: ({ rows }) =>
      (rows["members"] ?? []).some((row) => row["user_id"] === parley.status.me),
    open() {
      const look = () => document.visibilityState === "visible" && void query.refresh();
      const timer = setInterval(look, PAUSE_MS);
      addEventListener("focus", look);
      return () => {
        clearInterval(timer);
        removeEventListener("focus", look);
      };
    },
  });
  return query;
}

async function find(supabase: SupabaseClient, me: string): Promise<Duties> {
  const chat = supabase.schema("chat");
  const [places, rooms, reports] = await Promise.all([
    chat.from("tenant_members").select("tenant_id, role").eq("user_id", me).is("removed_at", null),
    chat.from("room_members").select("room_id").eq("user_id", me).is("left_at", null)
      .in("role", ["owner", "admin", "moderator"]).limit(1),
    chat.from("reports").select("report_id").is("resolved_at", null).limit(MOST),
  ]);
  // (A query keeps what it shows where one of them fails.)
  for (const { error, status } of [places, rooms, reports]) {
    if (error !== null) throw refusalOf(error, status);
  }
  const all = (places.data ?? []) as { readonly tenant_id: string; readonly role: string }[];
  const administered = all.filter(({ role }) => role !== "member").map((each) => each.tenant_id);
  return {
    tenants: all.map((each) => each.tenant_id),
    administered,
    hasAny: administered.length > 0 || (rooms.data ?? []).length > 0,
    open: (reports.data ?? []).length,
    isLoading: false,
  };
}
