/** The Web Lock of the tab that leads: waited for behind other tabs, stolen from one that does not answer. */

/** What happens when the lock is had, and when it was taken away. */
export interface Reign {
  /** Begin to lead. */
  begin(): Promise<void>;
  /** Another tab leads. */
  end(): void;
}

export class LeaderLock {
  #queue = new AbortController();
  #giveBack: (() => void) | null = null;

  /** Without Web Locks, whoever waits has it. `closing` ends everything. */
  constructor(
    readonly name: string,
    readonly locks: Pick<LockManager, "request"> | null,
    readonly reign: Reign,
    readonly closing: AbortSignal,
  ) {}

  /** This tab has it. */
  get isHeld(): boolean {
    return this.#giveBack !== null;
  }

  /** Wait for it, behind the other tabs. */
  wait(): void {
    const { locks } = this;
    if (locks === null) {
      void this.#have();
      return;
    }
    this.#queue = new AbortController();
    const { signal } = this.#queue;
    this.#hold(
      locks.request(this.name, { signal }, () => (signal.aborted ? undefined : this.#have())),
      signal,
    );
  }

  /** Take it from a tab that does not answer. */
  steal(): void {
    const { locks } = this;
    if (locks === null || this.isHeld || this.closing.aborted) return;
    this.#queue.abort();
    const { signal } = (this.#queue = new AbortController());
    this.#hold(locks.request(this.name, { steal: true }, () => this.#have()), signal);
  }

  /** Wait no more. */
  stopWaiting(): void {
    this.#queue.abort();
  }

  /** Give it to whoever waits; tells whether this tab had it. */
  release(): boolean {
    const giveBack = this.#giveBack;
    this.#giveBack = null;
    giveBack?.();
    return giveBack !== null;
  }

  /** When it is gone, however that came, wait for it again. */
  #hold(request: Promise<unknown>, signal: AbortSignal): void {
    void request.catch(() => undefined).then(() => {
      // (A newer request may have taken this one's place.)
      if (signal.aborted || this.closing.aborted) return;
      if (this.release()) this.reign.end();
      this.wait();
    });
  }

  /** Lead until it is given back or taken. */
  async #have(): Promise<void> {
    if (this.closing.aborted) return;
    const over = new Promise<void>((resolve) => (this.#giveBack = resolve));
    await this.reign.begin();
    await over;
  }
}
