import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useSyncExternalStore,
} from "react";

import { ParleyError } from "../src/errors.ts";
import type { Parley } from "../src/parley.ts";
import type { Loading, Query } from "./query.ts";

const Context = createContext<Parley | null>(null);

/** What `ParleyProvider` takes. */
export interface ParleyProviderProps {
  /** What `createParley` made; null on a server, where every hook is empty. */
  readonly parley: Parley | null;
  readonly children?: ReactNode;
}

/** Gives the client to the hooks below it. */
export function ParleyProvider({ parley, children }: ParleyProviderProps): ReactNode {
  return createElement(Context.Provider, { value: parley }, children);
}

/** The client, for what has no hook: `edit`, `react`, `search`, `attach` … Null on a server. */
export function useParley(): Parley | null {
  return useContext(Context);
}

/** Show what a query shows, or `empty` without one and in the first paint. */
export function useQuery<T extends Loading>(query: Query<T> | null, empty: T): T {
  const subscribe = query?.subscribe ?? nothing;
  return useSyncExternalStore(subscribe, query?.snapshot ?? (() => empty), () => empty);
}

/** Subscribe to nothing. */
export function nothing(): () => void {
  return () => undefined;
}

/** What an action is without a client, or a room. */
export function nowhere(): Promise<never> {
  return Promise.reject(
    new ParleyError(
      "chat_closed",
      "There is no client or no room here.",
      "Give ParleyProvider a client, and useRoom the id of a room.",
    ),
  );
}
