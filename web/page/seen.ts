/** When somebody was last here, as a line. */
import type { ListedPresence } from "../src/api.ts";
import { moment } from "./durations.ts";

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const MINUTE_MS = 60_000;

/** The line; empty where that is not told. */
export function seenLine(presence: ListedPresence | null): string {
  if (presence === null) return "";
  if (presence.is_online) return "Online";
  if (presence.last_seen_at === null) return "";
  const minutes = Math.round((Date.now() - Date.parse(presence.last_seen_at)) / MINUTE_MS);
  if (minutes < 60) return `Last here ${RELATIVE.format(-minutes, "minute")}`;
  return `Last here ${moment(presence.last_seen_at)}`;
}
