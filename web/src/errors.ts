/**
 * Everything that the client throws on purpose.
 *
 * There is one class. `slug` tells what happened, never changes and is the word that Postgres and Python use;
 * `detail` is a sentence for people and `hint` the remedy:
 *
 * ```ts
 * try {
 *   await parley.older(room.id);
 * } catch (error) {
 *   if (!(error instanceof ParleyError)) throw error;
 *   if (error.slug !== "room_not_found") show(error.detail, error.hint);
 * }
 * ```
 */

/** What may be thrown, and the HTTP status that goes with it. `docs/errors.md` explains those of the server. */
const STATUS = {
  // The server refused a call, or there is no answer.
  api_error: 500,
  unreachable: 503,
  answer_refused: 502,
  invalid_input: 400,
  tenant_required: 400,
  sign_in_required: 401,
  not_allowed: 403,
  member_muted: 403,
  room_not_found: 404,
  message_not_found: 404,
  user_not_found: 404,
  file_not_found: 404,
  invite_not_found: 404,
  report_not_found: 404,
  hold_not_found: 404,
  table_not_found: 404,
  message_id_reused: 409,
  edit_conflict: 409,
  last_owner: 409,
  message_deleted: 410,
  invite_expired: 410,
  message_too_long: 413,
  too_many_mentions: 413,
  payload_too_large: 413,
  message_refused: 422,
  room_archived: 423,
  slow_down: 429,
  replica_behind: 503,
  // The copy cannot do what was asked: it cannot be read or written just now, a newer version made it, a row
  // of it is not what this version reads, it was closed, or belongs to somebody else.
  store_unusable: 503,
  store_too_new: 409,
  row_unreadable: 422,
  // The server serves newer clients only, or has an older schema than this client needs.
  client_too_old: 426,
  server_too_old: 501,
  chat_closed: 409,
  other_account: 409,
} as const;

export type Slug = keyof typeof STATUS;

/** The slugs of the copy, which no server may send. */
const OWN =
  /^(api_error|unreachable|answer_refused|store_.*|row_unreadable|.*_too_old|chat_closed|other_account)$/;
/** Where the sentence of `slow_down` names the seconds. */
const WAIT = / in ([0-9]+) s\.$/;
/** How the codes begin of what a server in good health answers. */
const ANSWERS = /^(PT4|22|23|P0)/;

/** An expected failure: a sentence that says what happened and a remedy. */
export class ParleyError extends Error {
  override readonly name = "ParleyError";
  readonly slug: Slug;
  readonly status: number;
  /** What happened, as a sentence. */
  readonly detail: string;
  /** What to do about it; may be empty. */
  readonly hint: string;
  /** The SQLSTATE or PostgREST's code, such as PT404 or PGRST202; empty where there is none. */
  readonly code: string;
  /** How many seconds to wait, where the server named them. */
  readonly retry_after: number | null;

  constructor(
    slug: Slug,
    detail: string,
    hint = "",
    { code = "", retry_after = null, cause }: ErrorOptions & {
      readonly code?: string;
      readonly retry_after?: number | null;
    } = {},
  ) {
    super(`${detail} ${hint}`.trim(), { cause });
    this.slug = slug;
    this.status = STATUS[slug];
    this.detail = detail;
    this.hint = hint;
    this.code = code;
    this.retry_after = retry_after;
  }

  /**
   * Tell whether the same call may well succeed later, whatever it says.
   *
   * What has a slug of its own, or is a status or a constraint of ours, is an answer. The rest is a server in
   * trouble, such as one that has not read its schema yet.
   */
  get isTransient(): boolean {
    if (this.slug === "api_error") return !ANSWERS.test(this.code);
    return this.slug === "unreachable" || this.slug === "answer_refused";
  }
}

/** What PostgREST says of a refusal; supabase-js calls it `PostgrestError`. */
export interface Refusal {
  readonly code?: string | null;
  readonly message?: string | null;
  readonly details?: string | null;
  readonly hint?: string | null;
}

/** Return the error for a refusal. `status` is that of the answer, `retry_after` its header. */
export function refusalOf(body: Refusal, status: number, retry_after?: string | null): ParleyError {
  const { code, message, details, hint } = {
    code: `${body.code ?? ""}`,
    message: `${body.message ?? ""}`,
    details: `${body.details ?? ""}`,
    hint: `${body.hint ?? ""}`,
  };
  // In a browser the header cannot be read: PostgREST does not expose it to other origins.
  const wait = retry_after ?? (message === "slow_down" ? WAIT.exec(details)?.[1] : null) ?? "";
  const rest = { code, retry_after: /^[0-9]{1,9}$/.test(wait) ? Number(wait) : null };
  if (isSlug(message)) return new ParleyError(message, details || message, hint, rest);
  return new ParleyError(slugOfCode(code, status), `${message} ${details}`.trim(), hint, rest);
}

/** Tell whether a server may have raised it. */
function isSlug(text: string): text is Slug {
  return Object.hasOwn(STATUS, text) && !OWN.test(text);
}

/** Return the slug for what Postgres or PostgREST refuse before a function of ours runs. */
function slugOfCode(code: string, status: number): Slug {
  if (code.startsWith("PGRST30") || (code === "42501" && status === 401)) return "sign_in_required";
  if (code === "42501") return "not_allowed";
  if (/^22...$/.test(code)) return "invalid_input";
  return "api_error";
}
