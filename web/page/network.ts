/**
 * The offline switch: takes the network from one person's tabs, on a machine that has one.
 *
 * supabase-js is given `fetch` and `Socket`. While the switch is on, requests fail as without a network, and
 * sockets close. It is remembered, so that a page that was closed offline opens offline.
 */

export interface Network {
  readonly fetch: typeof fetch;
  readonly Socket: typeof WebSocket;
  readonly isOff: () => boolean;
  readonly turn: (isOff: boolean) => void;
  readonly subscribe: (listener: () => void) => () => void;
}

/** The network of whoever is called `name` on this page. */
export function networkOf(name: string): Network {
  const key = `parley-offline-${name}`;
  const listeners = new Set<() => void>();
  const sockets = new Set<WebSocket>();
  let off = localStorage.getItem(key) !== null;

  function become(isOff: boolean): void {
    off = isOff;
    if (isOff) { for (const socket of sockets) socket.close(); }
    else dispatchEvent(new Event("online"));
    for (const listener of listeners) listener();
  }

  // Another tab of this person turned it.
  addEventListener("storage", (event) => {
    if (event.key === key) become(event.newValue !== null);
  });

  /** A socket, or while the switch is on one that could not be opened. */
  function Socket(url: string | URL, protocols?: string | string[]): WebSocket {
    if (off) return new Refused() as unknown as WebSocket;
    const socket = new WebSocket(url, protocols);
    sockets.add(socket);
    socket.addEventListener("close", () => sockets.delete(socket));
    return socket;
  }

  return {
    fetch: (input, init) =>
      off ? Promise.reject(new TypeError("The offline switch is on.")) : fetch(input, init),
    Socket: Socket as unknown as typeof WebSocket,
    isOff: () => off,
    turn(isOff) {
      if (isOff) localStorage.setItem(key, "");
      else localStorage.removeItem(key);
      become(isOff);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What Realtime does with a socket that closes at once. */
class Refused {
  readonly readyState = WebSocket.CLOSED;
  onclose: ((event: CloseEvent) => void) | null = null;

  constructor() {
    setTimeout(() => this.onclose?.(new CloseEvent("close", { code: 1006 })));
  }

  close(): void {}
}
