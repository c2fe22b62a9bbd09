// Expo: a hundred messages in a request, a ticket for each, and receipts a quarter of an hour later.

import { ask, byStatus } from "./http.ts";
import { data, fits, words } from "./message.ts";
import type { Push, Result } from "./project.ts";

interface Ticket {
  status?: string;
  id?: string;
  details?: { error?: string };
}

function address(path: string): string {
  return `${Deno.env.get("EXPO_URL") ?? "https://exp.host/--/api/v2/push"}/${path}`;
}

function headers(): Record<string, string> {
  const token = Deno.env.get("EXPO_ACCESS_TOKEN");
  return {
    "content-type": "application/json",
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
}

/** Writes a push as Expo takes it. */
export function expoMessage(push: Push): Record<string, unknown> {
  if (push.kind === "clear") {
    return {
      to: push.push_token,
      badge: push.badge ?? 0,
      data: data(push),
      ...(push.platform === "android" || push.is_background ? { _contentAvailable: true } : {}),
    };
  }
  return {
    to: push.push_token,
    title: push.title,
    body: words(push),
    data: data(push),
    sound: "default",
    badge: push.badge ?? 0,
    priority: "high",
    channelId: "chat-messages",
    collapseId: push.room_id,
    tag: push.room_id,
  };
}

function byError(error: string | undefined): Result {
  switch (error) {
    case "DeviceNotRegistered":
      return { outcome: "dead" };
    case "MessageRateExceeded":
      return { outcome: "retry" };
    default:
      return { outcome: "failed" };
  }
}

function byTicket(ticket: Ticket | null | undefined): Result {
  if (ticket?.status === "ok") {
    return { outcome: "sent", ticket: ticket.id?.slice(0, 200) };
  }
  return ticket?.status === "error" ? byError(ticket.details?.error) : { outcome: "retry" };
}

/** Sends up to a hundred pushes with one request. */
export async function sendToExpo(pushes: Push[]): Promise<Result[]> {
  const messages = pushes.map(expoMessage);
  const sendable = messages.filter(fits);
  const answer = await ask(address("send"), {
    method: "POST",
    headers: headers(),
    body: JSON.stringify(sendable),
  });
  const refused = byStatus(answer);
  const tickets = (answer.body as { data?: Ticket[] } | null)?.data;
  const results = sendable.map((_, place) =>
    refused ?? (Array.isArray(tickets) ? byTicket(tickets[place]) : { outcome: "retry" as const })
  );
  return messages.map((message) => fits(message) ? results.shift()! : { outcome: "failed" });
}

/** Asks for the outcome of up to a hundred tickets. */
export async function receiptsOfExpo(pushes: Push[]): Promise<Result[]> {
  const answer = await ask(address("getReceipts"), {
    method: "POST",
    headers: headers(),
    body: JSON.stringify({ ids: pushes.map((push) => push.ticket) }),
  });
  const receipts = (answer.body as { data?: Record<string, Ticket> } | null)?.data;
  if (byStatus(answer) !== null || typeof receipts !== "object" || receipts === null) {
    return pushes.map(() => ({ outcome: "retry" }));
  }
  // Expo keeps receipts for a day. One that is missing by now will not come any more.
  return pushes.map((push) => {
    const receipt = receipts[push.ticket ?? ""];
    const is_dead = receipt?.details?.error === "DeviceNotRegistered";
    return { outcome: is_dead ? "dead" : "sent", ticket: push.ticket ?? undefined };
  });
}
