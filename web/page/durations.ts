/** How long something lasts, as people choose it. */
import { clock, dayOf } from "./time.ts";

const HOUR_MS = 3_600_000;

export interface Duration {
  readonly name: string;
  /** Null is without an end. */
  readonly ms: number | null;
}

/** For mutes, bans and pauses. */
export const DURATIONS: readonly Duration[] = [
  { name: "1 hour", ms: HOUR_MS },
  { name: "1 day", ms: 24 * HOUR_MS },
  { name: "7 days", ms: 7 * 24 * HOUR_MS },
  { name: "Without an end", ms: null },
];

/** When it ends, as the server takes it. */
export function endOf({ ms }: Duration): string | null {
  return ms === null ? null : new Date(Date.now() + ms).toISOString();
}

const DATE = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const YEAR = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** A moment, as short as it can be told today. */
export function moment(at: string): string {
  const time = Date.parse(at);
  const isThisYear = new Date(time).getFullYear() === new Date().getFullYear();
  if (dayOf(at) === dayOf(Date.now())) return clock(at);
  return isThisYear ? `${DATE.format(time)}, ${clock(at)}` : YEAR.format(time);
}
