/**
 * Who is signed in, as the Auth of supabase-js tells it, and what becomes of a copy when its session is over.
 *
 * A copy is deleted when somebody signs out. A session that Auth ended (its token was revoked, or it is too old)
 * hides the copy and keeps it, with what waits to be sent, until the same person signs in again. Auth sends the
 * same event for both, so this looks whether `signOut` was called; a tab that hears of it from another tab leaves
 * the deleting to that one.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { isRetryable } from "./remote.ts";
import type { Surroundings } from "./surroundings.ts";

/** How long Auth may take to tell who is signed in before the copy of last time is shown. */
const AUTH_MS = 1000;

/** Whose copies this browser has, by the name of the app. */
export class Remembered {
  constructor(
    readonly around: Surroundings,
    readonly name: string,
  ) {}

  /** Whose copy was shown last; null when there is none. */
  get me(): string | null {
    return this.around.recall(this.name);
  }

  set me(me: string | null) {
    this.around.remember(this.name, me);
    this.around.remember(this.#ended, null);
  }

  /** Auth ended the session of whoever it was. */
  end(): void {
    this.around.remember(this.#ended, this.me);
  }

  get isEnded(): boolean {
    return this.me !== null && this.me === this.around.recall(this.#ended);
  }

  get #ended(): string {
    return `${this.name}:ended`;
  }
}

/** What follows from what Auth tells: work as somebody, or as nobody and with or without a copy. */
export interface Following {
  become(me: string): void;
  leave(isForgetting: boolean): void;
}

/** Follow who is signed in; returns how to stop that. */
export function followSession(
  auth: SupabaseClient["auth"],
  remembered: Remembered,
  { become, leave }: Following,
): () => void {
  let leaving = 0;
  const { signOut } = auth;
  const watched: typeof signOut = async (options) => {
    leaving += 1;
    try {
      return await signOut.call(auth, options);
    } finally {
      leaving -= 1;
    }
  };
  auth.signOut = watched;

  const { data } = auth.onAuthStateChange((event, session) => {
    clearTimeout(waiting);
    const isAsked = leaving > 0;
    // (Whoever asks Auth something in here waits for ever.)
    setTimeout(() => {
      const me = session?.user.id ?? null;
      if (me !== null) become(me);
      else if (event === "SIGNED_OUT") end(isAsked);
      else if (event === "INITIAL_SESSION") void begin();
    });
  });
  // Without a network, Auth takes half a minute to say that it cannot renew an old session.
  const waiting = setTimeout(() => {
    if (remembered.me !== null && !remembered.isEnded) become(remembered.me);
  }, AUTH_MS);

  function end(isAsked: boolean): void {
    if (!isAsked) remembered.end();
    leave(isAsked);
  }

  /** Nobody is signed in, unless the session is too old and Auth is out of reach: then the copy can be read. */
  async function begin(): Promise<void> {
    const { data: found, error } = await auth.getSession();
    const isUnsure = found.session === null && error !== null && isRetryable(error);
    const me = found.session?.user.id ?? (isUnsure ? remembered.me : null);
    if (me !== null) become(me);
    else leave(!remembered.isEnded);
  }

  return () => {
    clearTimeout(waiting);
    data.subscription.unsubscribe();
    // (Whoever else has put something in its place calls this one through it.)
    if (auth.signOut === watched) auth.signOut = signOut;
  };
}
