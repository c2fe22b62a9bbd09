/**
 * Keeping one table of the app's own in step, as the leader: pull when told, and now and then.
 *
 * An announcement can arrive before a new snapshot of the database sees what it announces: a pull that brought
 * nothing is repeated once. What is told while a pull is under way makes one more, however often it is told.
 *
 * An announcement has no number, so only the primary is sure to have what it tells of. A read replica may go on
 * with a first fetch, since the primary answers after its last page, and may tell what changed where nothing but
 * the time is a reason to ask.
 */
import { BatchSize } from "./batches.ts";
import { Deposed } from "./deposed.ts";
import { ParleyError } from "./errors.ts";
import type { Remote } from "./remote.ts";
import { refused, type Row } from "./rows.ts";
import type { Store } from "./store.ts";
import { mayGoOnLate, readTableAnswer } from "./table_answer.ts";
import { applyTable, askedWith, noteFault, prepareTable, pruneTable } from "./table_rows.ts";
import type { TableOptions } from "./table_types.ts";
import { Backoff, Bell, type Rng, sleep } from "./timing.ts";
import type { Change } from "./types.ts";

const ROWS = 1000;
const AGAIN_MS = 300;
/** So long a table that changes all the time is left alone between two pulls. */
const REST_MS = 100;
const RETRY_LEAST_MS = 250;
const RETRY_MOST_MS = 30_000;

const PASSING: ReadonlySet<string> = new Set(["unreachable", "sign_in_required", "replica_behind"]);

/** What a puller tells of. */
export interface PullerTold {
  emit(changes: readonly Change[]): void;
  /** Rows of other owners may be here now. */
  owners(): void;
  /** The copy can be written (null), or what is in the way of that. */
  trouble(error: ParleyError | null): void;
}

/** What came of a page. */
interface Page {
  readonly isMore: boolean;
  readonly isNews: boolean;
  /** The next page may be older. */
  readonly mayLag: boolean;
}

export class TablePuller {
  readonly #bell = new Bell();
  readonly #size = new BatchSize();
  #isWanted = true;
  #isTold = false;
  #mayLag = false;
  #isKnown = false;
  #isPruneDue = true;
  #hadTrouble = false;
  #pulling: Promise<unknown> = Promise.resolve();

  constructor(
    readonly store: Store,
    readonly remote: Remote,
    readonly options: TableOptions,
    readonly told: PullerTold,
    readonly rng: Rng,
    readonly signal: AbortSignal,
  ) {}

  /**
   * Pull soon, because the server may have something new; `isTold` if it said so, `mayLag` if nothing but the time
   * is a reason.
   */
  want(isTold = false, mayLag = false): void {
    this.#mayLag = mayLag && (this.#mayLag || !this.#isWanted);
    this.#isWanted = true;
    if (isTold) this.#isTold = true;
    else this.#isPruneDue = true;
    this.#bell.ring();
  }

  /** Keep in step until the signal. Throws Deposed. */
  async run(): Promise<void> {
    const retry = new Backoff(RETRY_LEAST_MS, RETRY_MOST_MS, this.rng);
    while (!this.signal.aborted) {
      while (!this.#isWanted && !this.signal.aborted) await this.#bell.wait(null, this.signal);
      if (this.signal.aborted) return;
      try {
        await this.#inTurn(() => this.#pull(this.#mayLag));
        retry.reset();
        await sleep(REST_MS, this.signal);
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        await this.#meet(error);
        await this.#bell.wait(retry.next(), this.signal);
      }
    }
  }

  /** Pull all that is missing, now. Throws what is in the way. */
  sync(): Promise<void> {
    return this.#inTurn(() => this.#pull(false));
  }

  #inTurn(pull: () => Promise<void>): Promise<void> {
    const mine = this.#pulling.then(pull);
    this.#pulling = mine.catch(() => undefined);
    return mine;
  }

  /** Pull page by page. The last one is never late, except where all that is asked may be. */
  async #pull(mayLag: boolean): Promise<void> {
    const wasTold = this.#isTold;
    this.#isWanted = this.#isTold = false;
    let hasNews = false;
    try {
      await this.#prepare();
      for (let isMore = true; isMore && !this.signal.aborted;) {
        const done = await this.#ask(mayLag);
        ({ isMore, mayLag } = done);
        hasNews ||= done.isNews;
      }
    } catch (error) {
      this.#isWanted = true;
      this.#isTold ||= wasTold;
      this.#mayLag = false;
      throw error;
    }
    if (wasTold && !hasNews) void sleep(AGAIN_MS, this.signal).then(() => this.want());
    if (this.#hadTrouble) this.told.trouble(null);
    this.#hadTrouble = false;
  }

  /** Make the table known the first time, and let go of what is too old. */
  async #prepare(): Promise<void> {
    if (!this.#isKnown) {
      await this.store.write((draft) => prepareTable(draft, this.options));
      this.#isKnown = true;
      this.told.owners();
    }
    if (this.#isPruneDue) {
      this.told.emit(await this.store.write((draft) => pruneTable(draft, this.options)));
      this.#isPruneDue = false;
    }
  }

  /** Ask for one page; tells whether and how to ask for the next one. */
  async #ask(mayLag: boolean): Promise<Page> {
    const { name, where, newest } = this.options;
    const asked = await this.store.storage.read((tx) => askedWith(tx, name));
    const cursor: Row = {
      timeline: asked.timeline,
      owners: Object.fromEntries(asked.owners),
      limit: this.#size.of(ROWS),
      ...(where === undefined ? {} : { where }),
      ...(newest === undefined ? {} : { newest }),
    };
    try {
      const value = await this.remote.pullTable(name, cursor, mayLag);
      const answer = readTableAnswer(value, name, asked, this.store.me);
      if (answer.more && answer.owners.length === 0 && answer.dropped.length === 0) {
        throw refused("there is more, and it does not come");
      }
      const applied = await this.store.write((draft) => applyTable(draft, name, asked, answer));
      this.#size.grow();
      if (applied === null) return { isMore: true, isNews: true, mayLag: false };
      this.told.emit(applied.changes);
      if (applied.is_news) this.told.owners();
      return { isMore: answer.more, isNews: applied.is_news, mayLag: mayGoOnLate(answer) };
    } catch (error) {
      if (!(error instanceof Deposed)) this.#size.shrink();
      throw error;
    }
  }

  /** Say what is in the way, unless the chat tells of it or it passes by itself. */
  async #meet(error: ParleyError): Promise<void> {
    if (PASSING.has(error.slug)) return;
    if (error.slug.startsWith("store_")) {
      this.#hadTrouble = true;
      this.told.trouble(error);
      return;
    }
    const { name } = this.options;
    const changes = await this.store.write((draft) => noteFault(draft, name, error.detail));
    this.told.emit(changes);
  }
}
