/** What a tab knows of the browser around it. Where a browser lacks something, one tab works alone. */

/** Where tabs of one account meet, and what happens to this one. */
export interface Surroundings {
  /** Web Locks: who of the tabs leads. Null where there are none: then this is the only tab. */
  readonly locks: Pick<LockManager, "request"> | null;
  /** Open the channel of some tabs. */
  openChannel(name: string): BroadcastChannel | null;
  /** This tab is in front. */
  isVisible(): boolean;
  /** Call a function when the tab comes to the front or goes; returns how to stop that. */
  onVisibility(listener: () => void): () => void;
  /** Call a function when something may have been missed: focus, a network, the end of a freeze. */
  onReturn(listener: () => void): () => void;
  /** Text that outlives the tab, by name. */
  remember(name: string, value: string | null): void;
  recall(name: string): string | null;
}

/** The browser this runs in, or what there is of one. */
export function browser(): Surroundings {
  const page = typeof document === "undefined" ? null : document;
  const frame = typeof window === "undefined" ? null : window;
  return {
    locks: typeof navigator === "undefined" ? null : (navigator.locks ?? null),
    openChannel: (name) =>
      typeof BroadcastChannel === "undefined" || page === null ? null : new BroadcastChannel(name),
    isVisible: () => page === null || page.visibilityState === "visible",
    onVisibility: (listener) => listen(page, ["visibilitychange"], listener),
    onReturn(listener) {
      const ends = [
        listen(frame, ["focus", "online", "pageshow"], listener),
        listen(page, ["visibilitychange", "resume"], listener),
      ];
      return () => {
        for (const end of ends) end();
      };
    },
    remember(name, value) {
      try {
        if (value === null) frame?.localStorage.removeItem(name);
        else frame?.localStorage.setItem(name, value);
      } catch {
        // A browser that keeps nothing opens no copy before somebody has signed in.
      }
    },
    recall(name) {
      try {
        return frame?.localStorage.getItem(name) ?? null;
      } catch {
        return null;
      }
    },
  };
}

function listen(
  target: EventTarget | null,
  events: readonly string[],
  listener: () => void,
): () => void {
  for (const event of events) target?.addEventListener(event, listener);
  return () => {
    for (const event of events) target?.removeEventListener(event, listener);
  };
}
