/** How the copy stands, as the tab that leads sees it: what is in its way, and whether it is live. */
import type { ParleyError } from "./errors.ts";
import type { Status } from "./types.ts";

/** What the leader knows and tells. */
interface Seen {
  isLive(): boolean;
  isBehind(): boolean;
  tell(status: Pick<Status, "state" | "is_behind" | "fault">): void;
}

export class Standing {
  #trouble: ParleyError | null = null;
  #told = "";

  constructor(readonly seen: Seen) {}

  /** Something is in the way, or nothing any more; returns a fault that is new, and whether one is over. */
  meet(error: ParleyError | null): { readonly fault: string | null; readonly isOver: boolean } {
    const before = this.#trouble;
    this.#trouble = error;
    const isNew = before?.slug !== error?.slug;
    this.tell();
    return { fault: isNew ? this.#fault : null, isOver: before !== null && error === null };
  }

  /** Tell how it stands, unless that was told. */
  tell(): void {
    const status = {
      state: this.#state,
      fault: this.#fault,
      is_behind: this.seen.isBehind(),
    } as const;
    const text = JSON.stringify(status);
    if (text === this.#told) return;
    this.#told = text;
    this.seen.tell(status);
  }

  /** Somebody has come who was told nothing. */
  forget(): void {
    this.#told = "";
  }

  get #state(): Status["state"] {
    const slug = this.#trouble?.slug;
    if (slug === "sign_in_required") return "signed_out";
    if (slug === "unreachable") return "offline";
    return this.seen.isLive() ? "live" : "polling";
  }

  get #fault(): string | null {
    const error = this.#trouble;
    // What somebody has to do something about; the rest passes by itself.
    return error !== null && /^store_|_too_old$/.test(error.slug) ? error.detail : null;
  }
}
