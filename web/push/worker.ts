/**
 * The service worker of Web Push: it shows a push, and opens its room when that is clicked.
 *
 * ```ts
 * // sw.ts, bundled to /sw.js
 * import { handlePushes } from "parley-chat/push-worker";
 * handlePushes(self, (room_id) => `/#${room_id}`);
 * ```
 *
 * A page that is open is told `{ type: "open_room", room_id }` in a message to `navigator.serviceWorker`.
 */

/** What of a service worker is used; `self` is one. */
export interface PushWorker {
  readonly registration: Pick<ServiceWorkerRegistration, "showNotification" | "scope">;
  readonly clients: {
    matchAll(options: { readonly type: "window"; readonly includeUncontrolled: true }): Promise<
      readonly PageClient[]
    >;
    openWindow(url: string): Promise<unknown>;
  };
  addEventListener(
    type: "push" | "notificationclick",
    listener: (event: PushWorkerEvent) => void,
  ): void;
}

interface PageClient {
  readonly url: string;
  readonly visibilityState: string;
  postMessage(message: unknown): void;
  focus(): Promise<unknown>;
}

interface PushWorkerEvent {
  readonly data?: { text(): string } | null;
  readonly notification?: Notification;
  waitUntil(work: Promise<unknown>): void;
}

interface Push {
  readonly title: string;
  readonly body: string;
  /** The room, so that a later push takes the place of an earlier one. */
  readonly tag: string;
  readonly data: { readonly [key: string]: string };
}

/** Show pushes, and open their rooms. `addressOf` is where the app shows a room, within its origin. */
export function handlePushes(worker: PushWorker, addressOf: (room_id: string) => string): void {
  worker.addEventListener("push", (event) => {
    // Browsers require that something is shown for every push, also for one that cannot be read.
    const { title, body, tag, data } = read(event.data?.text() ?? "");
    event.waitUntil(worker.registration.showNotification(title, { body, tag, data }));
  });
  worker.addEventListener("notificationclick", (event) => {
    event.notification?.close();
    const { room_id } = (event.notification?.data ?? {}) as { readonly room_id?: string };
    event.waitUntil(open(worker, addressOf(room_id ?? ""), room_id ?? ""));
  });
}

async function open(worker: PushWorker, address: string, room_id: string): Promise<void> {
  const url = new URL(address, worker.registration.scope);
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const fitting = pages.filter((page) => isSamePage(new URL(page.url), url));
  const page = fitting.find(({ visibilityState }) => visibilityState === "visible") ?? fitting[0];
  if (page === undefined) {
    await worker.clients.openWindow(url.href);
    return;
  }
  page.postMessage({ type: "open_room", room_id });
  // A browser may refuse to bring it to the front. The room is open in it all the same.
  await page.focus().catch(() => undefined);
}

function isSamePage(one: URL, other: URL): boolean {
  return one.origin === other.origin && one.pathname === other.pathname &&
    one.search === other.search;
}

function read(text: string): Push {
  const nothing = { title: "New message", body: "", tag: "", data: {} };
  try {
    const { title, body, tag, data } = JSON.parse(text) as { readonly [key: string]: unknown };
    return {
      title: typeof title === "string" ? title : nothing.title,
      body: typeof body === "string" ? body : "",
      tag: typeof tag === "string" ? tag : "",
      data: typeof data === "object" && data !== null ? (data as Push["data"]) : {},
    };
  } catch {
    return nothing;
  }
}
