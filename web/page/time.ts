/** Times as people read them. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const SHORT = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** The time of day. */
export function clock(at: string): string {
  return CLOCK.format(new Date(at));
}

/** The day, as a number that grows by one each day here. */
export function dayOf(at: string | number): number {
  const date = new Date(at);
  return Math.round(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000);
}

/** The day as a heading: Today, Yesterday, Monday 3 May. */
export function day(at: string): string {
  const ago = dayOf(Date.now()) - dayOf(at);
  if (ago > 1 || ago < 0) return DAY.format(new Date(at));
  const word = RELATIVE.format(-ago, "day");
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** The time of day for today, else the day. */
export function short(at: string): string {
  return dayOf(at) === dayOf(Date.now()) ? clock(at) : SHORT.format(new Date(at));
}
