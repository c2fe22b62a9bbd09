import { useMemo, useSyncExternalStore } from "react";

import type { Parley } from "../src/parley.ts";
import type { Room } from "../src/types.ts";
import { nothing, useParley, useQuery } from "./provider.ts";
import { type Loading, Query, queryOf } from "./query.ts";

/** What `useRooms` returns. */
export interface Rooms extends Loading {
  /** The start screen: pinned first, then by the newest message. */
  readonly rooms: readonly Room[];
}

/** What `useUnread` returns: sums over all rooms, of which each counts to 100. */
export interface Unread {
  readonly unread: number;
  readonly mentions: number;
}

const EMPTY: Rooms = { rooms: [], isLoading: true };

/** The rooms of this account with their newest message and what is unread. */
export function useRooms(): Rooms {
  return useQuery(roomsOf(useParley()), EMPTY);
}

/** How many messages are unread, and how many of them mention this account. Renders when that changes. */
export function useUnread(): Unread {
  const unread = useSum("unread");
  const mentions = useSum("mentions");
  return useMemo(() => ({ unread, mentions }), [unread, mentions]);
}

function useSum(count: keyof Unread): number {
  const query = roomsOf(useParley());
  const sum = () =>
    (query?.snapshot() ?? EMPTY).rooms.reduce((total, room) => total + room[count], 0);
  return useSyncExternalStore(query?.subscribe ?? nothing, sum, () => 0);
}

function roomsOf(parley: Parley | null): Query<Rooms> | null {
  if (parley === null) return null;
  return queryOf(parley, "rooms", () =>
    new Query<Rooms>(parley, {
      empty: EMPTY,
      read: async () => ({ rooms: await parley.rooms(), isLoading: false }),
      isAbout: (change) => change.table === null,
    }));
}
