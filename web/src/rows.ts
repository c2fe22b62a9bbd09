/**
 * Rows as they came: what of them the copy relies on.
 *
 * A row is read when somebody looks at it, and one that cannot be read costs nothing but itself. Its key, its
 * number and the few columns that decide what is in the copy are checked when it comes, because a wrong one
 * would cost others: an answer with such a row is refused.
 */
import { ParleyError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | {
  readonly [key: string]: Json;
};
/** A row as the server sent it; nothing in it is sure but what `kinds` checks. */
export type Row = Readonly<Record<string, unknown>>;
/** Rows by kind. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

const ID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const HALF = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const HINT =
  "It is asked for again later; if it stays like that, client and server do not fit together.";

/** The error for an answer that makes no sense. */
export function refused(why: string): ParleyError {
  return new ParleyError("answer_refused", `The server's answer makes no sense: ${why}.`, HINT);
}

/** Tell whether a JSON value is an object. */
export function isObject(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tell whether a JSON value can be a number of a stream or a place in a room. */
export function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Tell whether a JSON value is a uuid as the server prints it. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

/** Tell whether a JSON value is text that can be kept and sent: without half of a surrogate pair. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && !HALF.test(value);
}

/** The text in a column, empty when there is none. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  return isText(value) ? value : "";
}

/** The number in a column of a row that may be absent, 0 when there is none. */
export function numberOf(row: Row | null, column: string): number {
  const value = row?.[column];
  return isNumber(value) ? value : 0;
}

/** A time as the server prints it, in milliseconds since 1970; 0 when it is none. */
export function millisecondsOf(value: unknown): number {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isFinite(time) ? time : 0;
}

/** A time as the server prints it, in microseconds since 1970; 0 when it is none. */
export function microsecondsOf(value: unknown): number {
  const milliseconds = millisecondsOf(value);
  if (milliseconds === 0) return 0;
  const fraction = /\.(\d+)/.exec(value as string)?.[1] ?? "";
  return milliseconds * 1000 + Number(fraction.slice(3, 6).padEnd(3, "0"));
}
