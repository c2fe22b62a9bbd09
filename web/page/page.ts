/** What all parts of the page share besides the client: who it is for, the network, and supabase-js. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { createContext, useContext, useSyncExternalStore } from "react";
import { useParley } from "../react/index.ts";
import type { Parley, Status } from "../src/index.ts";
import type { Files } from "./files.ts";
import type { Network } from "./network.ts";
import type { Stream } from "./stream.ts";

/** Somebody of the demo, who signs in with one click. */
export interface DemoPerson {
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

export interface Page {
  readonly supabase: SupabaseClient;
  readonly network: Network;
  readonly stream: Stream;
  readonly files: Files;
  /** The key that pushes are signed with; null where the project has none. */
  readonly vapid_key: string | null;
  /** The people of the demo who are here. */
  readonly people: readonly DemoPerson[];
  /** Whom of them the address asks for. */
  readonly person: DemoPerson | null;
}

export const PageContext = createContext<Page | null>(null);

/** The page around a component. */
export function usePage(): Page {
  return useContext(PageContext) as Page;
}

/** The client; the page is never rendered on a server. */
export function useClient(): Parley {
  return useParley() as Parley;
}

/** How the copy stands. */
export function useStatus(): Status {
  const parley = useClient();
  return useSyncExternalStore(parley.subscribe, () => parley.status);
}

/** Whose page this is. */
export function useMe(): string {
  return useStatus().me ?? "";
}

/** Whether the offline switch is on. */
export function useIsOff(): boolean {
  const { network } = usePage();
  return useSyncExternalStore(network.subscribe, network.isOff);
}
