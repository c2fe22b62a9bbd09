/** Profiles of people whom steps name, and of those in doubt; pulls bring their own. */
import { ParleyError } from "./errors.ts";
import type { Remote } from "./remote.ts";
import type { Row } from "./rows.ts";
import type { Store } from "./store.ts";
import type { Change } from "./types.ts";

const PROFILES_PER_CALL = 200;
/** How many people out of sight are remembered, so that they are asked for once. */
const MOST_ASKED_FOR = 10_000;

export class Profiles {
  readonly #wanted = new Set<string>();
  readonly #askedFor = new Set<string>();

  constructor(
    readonly store: Store,
    readonly remote: Remote,
    readonly emit: (changes: readonly Change[]) => void,
  ) {}

  /** There is something to fetch. */
  get areWanted(): boolean {
    return this.#wanted.size > 0 || this.store.account.has_profile_doubts;
  }

  /** Look for people in these changes whose profile is not here. */
  async note(changes: readonly Change[]): Promise<void> {
    for (const each of await this.store.unknownPeople(changes)) {
      if (!this.#askedFor.has(each) && this.#wanted.size < MOST_ASKED_FOR) this.#wanted.add(each);
    }
  }

  /** Fetch the profiles that are wanted. Throws `unreachable`, `sign_in_required`. */
  async fetch(): Promise<void> {
    if (this.store.account.has_profile_doubts) {
      for (const some of inParts(await this.store.peopleHere())) {
        const rows = await this.#ask(some);
        if (rows !== null) this.emit(await this.store.settleProfiles(some, rows));
      }
      await this.store.endProfileDoubts();
    }
    for (const some of inParts([...this.#wanted])) {
      const rows = await this.#ask(some);
      if (rows !== null) this.emit(await this.store.putProfiles(rows));
      // People who are out of sight are asked for once, as far as we remember.
      if (this.#askedFor.size > MOST_ASKED_FOR) this.#askedFor.clear();
      for (const each of some) {
        this.#askedFor.add(each);
        this.#wanted.delete(each);
      }
    }
  }

  async #ask(userIds: readonly string[]): Promise<readonly Row[] | null> {
    try {
      return await this.remote.profiles(userIds);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      const isFinal = error.slug === "answer_refused" || !error.isTransient;
      if (!isFinal || error.slug === "sign_in_required") throw error;
      return null;
    }
  }
}

function* inParts(people: readonly string[]): Iterable<string[]> {
  for (let place = 0; place < people.length; place += PROFILES_PER_CALL) {
    yield people.slice(place, place + PROFILES_PER_CALL);
  }
}
