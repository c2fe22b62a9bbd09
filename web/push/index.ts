/**
 * Web Push: this browser rings when a message comes while the app is closed.
 *
 * ```ts
 * const push = { supabase, worker: "/sw.js", vapid_key: VAPID_PUBLIC_KEY, device_id };
 * button.onclick = () => enablePush(push); // asks the person, subscribes, registers the device
 * await renewPush(push); // at every start of the app, once somebody is signed in
 * clearRead(parley); // what was read elsewhere is shown no more
 * await disablePush(push); // before signing out
 * ```
 *
 * The worker is a file of your own, beside the page: `parley-chat/push-worker` is what stands in it.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { ParleyError, refusalOf } from "../src/errors.ts";
import type { Parley } from "../src/parley.ts";

/** What this browser and the server are told. */
export interface PushOptions {
  readonly supabase: SupabaseClient;
  /** The address of the service worker; its folder is what it works for. */
  readonly worker: string;
  /** The public one of the two VAPID keys that the function `send-chat-push` has. */
  readonly vapid_key: string;
  /** What the app calls this browser: a text that it made up once and keeps. */
  readonly device_id: string;
}

/** `denied`: the person has refused, and only the settings of the browser change that. */
export type PushState = "unsupported" | "denied" | "off" | "on";

/** Tell how it stands in this browser. */
export async function pushState(): Promise<PushState> {
  if (!isSupported()) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  return (await subscriptionHere()) === null ? "off" : "on";
}

/** Ask the person, subscribe and register. Call it from a click. Throws `not_allowed` when they refuse. */
export async function enablePush(options: PushOptions): Promise<void> {
  if (!isSupported()) {
    throw new ParleyError("not_allowed", "This browser has no Web Push.", "Use another browser.");
  }
  if ((await Notification.requestPermission()) !== "granted") {
    throw new ParleyError(
      "not_allowed",
      "This browser may not show notifications of this page.",
      "Allow them in the settings of the browser.",
    );
  }
  await navigator.serviceWorker.register(options.worker);
  const { pushManager } = await navigator.serviceWorker.ready;
  const subscription = await pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: options.vapid_key,
  });
  await register(options, subscription);
}

/** Register again what is on, because browsers change subscriptions. Resolves to whether it is on. */
export async function renewPush(options: PushOptions): Promise<boolean> {
  if ((await pushState()) !== "on") return false;
  await navigator.serviceWorker.register(options.worker);
  const subscription = await subscriptionHere();
  if (subscription === null) return false;
  await register(options, subscription);
  return true;
}

/** Stop it on this device. Without a network the subscription ends all the same, and the server finds out. */
export async function disablePush({ supabase, device_id }: PushOptions): Promise<void> {
  if (!isSupported()) return;
  const subscription = await subscriptionHere();
  if (subscription === null) return;
  await subscription.unsubscribe();
  await supabase.schema("chat").rpc("unregister_device", { device_id });
}

/** Take away what is shown of rooms without unread messages, now and after each change; returns how to stop. */
export function clearRead(parley: Parley): () => void {
  const clear = () =>
    void close(parley).catch((error: unknown) => {
      if (!(error instanceof ParleyError)) throw error;
    });
  const stop = parley.subscribe((changes) => changes.length > 0 && clear());
  clear();
  return stop;
}

async function close(parley: Parley): Promise<void> {
  const registration = await registrationHere();
  const shown = (await registration?.getNotifications()) ?? [];
  if (shown.length === 0) return;
  const rooms = await parley.rooms();
  const unread = new Set(rooms.filter((room) => room.unread > 0).map((room) => room.id));
  for (const notification of shown) {
    const { room_id } = (notification.data ?? {}) as { readonly room_id?: string };
    if (room_id !== undefined && !unread.has(room_id)) notification.close();
  }
}

async function register(
  { supabase, device_id }: PushOptions,
  subscription: PushSubscription,
): Promise<void> {
  const { error, status } = await supabase.schema("chat").rpc("register_device", {
    device_id,
    platform: "web",
    push_provider: "web",
    push_token: JSON.stringify(subscription),
  });
  if (error === null) return;
  if (status > 0) throw refusalOf(error, status);
  throw new ParleyError("unreachable", "The server did not answer.", "Look at the network.");
}

function isSupported(): boolean {
  return "serviceWorker" in navigator && "PushManager" in globalThis;
}

async function registrationHere(): Promise<ServiceWorkerRegistration | undefined> {
  return isSupported() ? navigator.serviceWorker.getRegistration() : undefined;
}

async function subscriptionHere(): Promise<PushSubscription | null> {
  return (await (await registrationHere())?.pushManager.getSubscription()) ?? null;
}
