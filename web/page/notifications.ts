/** What the notification centre says. */
import { useNotifications } from "../react/index.ts";
import type { Notification } from "../src/index.ts";
import type { NameOf } from "./people.ts";

/** How many are unread. */
export function useUnseen(): number {
  return useNotifications().notifications.filter((each) => !each.is_read).length;
}

/** What happened, as a sentence. `title` is the room that it happened in. */
export function happened(notification: Notification, title: string | null, nameOf: NameOf): string {
  const { kind, actor_id } = notification;
  const who = actor_id === null ? "Somebody" : nameOf(actor_id);
  const where = title === null ? "" : ` in ${title}`;
  switch (kind) {
    case "mention":
      return `${who} mentioned you${where}`;
    case "reply":
      return `${who} answered you${where}`;
    case "invite":
      return `${who} added you${title === null ? " to a room" : ` to ${title}`}`;
    case "report":
      return `Your report about ${nameOf(textIn(notification, "user_id"))} was closed`;
    default:
      return kind.replaceAll("_", " ");
  }
}

/** A text among what an app or a report tells; empty where there is none. */
export function textIn({ data }: Notification, key: string): string {
  const told = data as { readonly [key: string]: unknown } | null;
  const value = typeof told === "object" ? told?.[key] : null;
  return typeof value === "string" ? value : "";
}
