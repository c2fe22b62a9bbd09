import { useMemo } from "react";

import type { Parley } from "../src/parley.ts";
import type { Notification } from "../src/types.ts";
import { nowhere, useParley, useQuery } from "./provider.ts";
import { type Loading, Query, queryOf } from "./query.ts";

/** The notifications of this account. */
export interface Notifications extends Loading {
  /** The newest that are not over, newest first. */
  readonly notifications: readonly Notification[];
}

/** What can be done with notifications. The function is the same one in every render. */
export interface NotificationActions {
  /** Mark them as read, up to the one with this seq or as a whole. It needs a network. */
  readonly markRead: (seq?: number) => Promise<void>;
}

const EMPTY: Notifications = { notifications: [], isLoading: true };

/** Mentions, replies, invites and whatever the app notifies of. */
export function useNotifications(): Notifications & NotificationActions {
  const parley = useParley();
  const view = useQuery(notificationsOf(parley), EMPTY);
  const markRead = parley?.markNotificationsRead ?? nowhere;
  return useMemo(() => ({ ...view, markRead }), [view, markRead]);
}

function notificationsOf(parley: Parley | null): Query<Notifications> | null {
  if (parley === null) return null;
  return queryOf(parley, "notifications", () =>
    new Query<Notifications>(parley, {
      empty: EMPTY,
      read: async () => ({ notifications: await parley.notifications(), isLoading: false }),
      // They end with rooms and messages, too.
      isAbout: (change) => change.table === null,
    }));
}
