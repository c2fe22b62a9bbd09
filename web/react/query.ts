/**
 * What a hook shows: read from the copy, and again after each change of it.
 *
 * A query is shared by all components that ask for the same, and renders them once for each change that they
 * can see. Until the first read has come it is empty. What was shown stays until something newer is here: a
 * component that is mounted again begins with it.
 */
import { ParleyError } from "../src/errors.ts";
import type { Parley } from "../src/parley.ts";
import type { Change } from "../src/types.ts";
import { share } from "./share.ts";

/** How many queries that nobody shows are kept, so that going back to a room shows it at once. */
const MOST_KEPT = 10;

/** What all hooks return. */
export interface Loading {
  /** The copy has not been read yet. */
  readonly isLoading: boolean;
}

/** What a query reads, and how it follows. */
export interface Source<T> {
  /** What is shown before anything was read, and while nobody is signed in. */
  readonly empty: T;
  /** Read it from the copy. */
  read(): Promise<T>;
  /** Tell whether it may be different after a change. */
  isAbout(change: Change): boolean;
  /** Begin to follow, once the copy can be read; returns how to stop. */
  open?(): () => void;
}

export class Query<T extends Loading> {
  readonly #listeners = new Set<() => void>();
  #shown: T;
  #me: string | null = null;
  #stop: (() => void) | null = null;
  #close: (() => void) | null = null;
  #reading: Promise<void> | null = null;
  #isStale = false;

  constructor(
    readonly parley: Parley,
    readonly source: Source<T>,
  ) {
    this.#shown = source.empty;
  }

  /** Nobody shows it. */
  get isIdle(): boolean {
    return this.#listeners.size === 0;
  }

  /** What to show; the same object until it is different. */
  readonly snapshot = (): T => {
    const { me } = this.parley.status;
    if (me !== this.#me) {
      this.#me = me;
      this.#shown = this.source.empty;
    }
    return this.#shown;
  };

  /** Call a function when there is something else to show; returns how to stop that. */
  readonly subscribe = (listener: () => void): () => void => {
    this.#listeners.add(listener);
    if (this.#stop === null) {
      this.#stop = this.parley.subscribe((changes) => this.#hear(changes));
      void this.refresh();
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.isIdle) this.#end();
    };
  };

  /** Read again; resolves when it is shown. */
  refresh(): Promise<void> {
    this.#isStale = true;
    this.#reading ??= this.#readUntilFresh().finally(() => (this.#reading = null));
    return this.#reading;
  }

  #hear(changes: readonly Change[]): void {
    if (this.parley.status.me !== this.#me) {
      this.#close?.();
      this.#close = null;
      this.#tell();
      void this.refresh();
    } else if (changes.some((change) => this.source.isAbout(change))) {
      void this.refresh();
    }
  }

  async #readUntilFresh(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      const { me } = this.parley.status;
      const next = await this.#read();
      if (this.#stop === null) return;
      if (this.parley.status.me !== me) continue;
      const shared = share(this.snapshot(), next);
      if (shared !== this.#shown) {
        this.#shown = shared;
        this.#tell();
      }
    }
  }

  async #read(): Promise<T> {
    try {
      const next = await this.source.read();
      if (this.#stop !== null) this.#close ??= this.source.open?.() ?? null;
      return next;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      // Nobody is signed in; or the copy cannot be read just now, and what is shown stays.
      const isNobody = error.slug === "sign_in_required" || error.slug === "chat_closed";
      return isNobody ? { ...this.source.empty, isLoading: false } : this.snapshot();
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #end(): void {
    this.#stop?.();
    this.#close?.();
    this.#stop = this.#close = null;
  }
}

const queries = new WeakMap<Parley, Map<string, unknown>>();

/** Return the query of this name, the same one for everybody who asks. */
export function queryOf<Q extends { readonly isIdle: boolean }>(
  parley: Parley,
  name: string,
  make: () => Q,
): Q {
  const ofParley = queries.get(parley) ?? new Map<string, Q>();
  queries.set(parley, ofParley);
  const found = (ofParley.get(name) as Q | undefined) ?? make();
  // The one asked for last is at the end; those that nobody shows are forgotten from the beginning.
  ofParley.delete(name);
  ofParley.set(name, found);
  const idle = [...ofParley].filter(([each, query]) => each !== name && (query as Q).isIdle);
  for (const [each] of idle.slice(0, Math.max(idle.length - MOST_KEPT, 0))) ofParley.delete(each);
  return found;
}
