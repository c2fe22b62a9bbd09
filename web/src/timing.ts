/** Waiting: for a time, for news, and a little longer after each failure. */

/** Random numbers from 0 to 1; tests give their own. */
export type Rng = () => number;

/** Wait so many milliseconds, or until the signal. Never throws. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}

/** Something to wait for that happens again and again; what happened before the wait counts. */
export class Bell {
  #isRung = false;
  #wake: () => void = () => undefined;

  /** It happened. */
  ring(): void {
    this.#isRung = true;
    this.#wake();
  }

  /** Wait until it happens, at most so many milliseconds, or until the signal. */
  async wait(milliseconds: number | null, signal: AbortSignal): Promise<void> {
    if (!this.#isRung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = milliseconds === null ? null : setTimeout(() => this.#wake(), milliseconds);
        this.#wake = () => {
          if (timer !== null) clearTimeout(timer);
          signal.removeEventListener("abort", this.#wake);
          resolve();
        };
        signal.addEventListener("abort", this.#wake);
      });
    }
    this.#isRung = false;
    this.#wake = () => undefined;
  }
}

/**
 * Waits that double from `least` to `most` milliseconds, each a random part of it.
 *
 * A random wait keeps a thousand clients that lost the same server from coming back as one.
 */
export class Backoff {
  #next = 0;

  constructor(
    readonly least: number,
    readonly most: number,
    readonly rng: Rng,
  ) {}

  /** The next wait in milliseconds. */
  next(): number {
    const wait = Math.max(this.#next, this.least);
    this.#next = Math.min(wait * 2, this.most);
    return wait * (0.5 + this.rng() / 2);
  }

  /** The waits have grown to the longest. */
  get isExhausted(): boolean {
    return this.#next >= this.most;
  }

  /** Begin again with short waits. */
  reset(): void {
    this.#next = 0;
  }
}

/** Return a function that acts at once, and then at most once in so many milliseconds. */
export function throttled(act: () => void, milliseconds: number): () => void {
  let isWaiting = false;
  let wasAsked = false;
  return function ask(): void {
    if (isWaiting) {
      wasAsked = true;
      return;
    }
    isWaiting = true;
    act();
    setTimeout(() => {
      isWaiting = false;
      if (wasAsked) {
        wasAsked = false;
        ask();
      }
    }, milliseconds);
  };
}
