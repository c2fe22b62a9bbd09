// Web Push: an encrypted message to an address that the browser chose.

import { Buffer } from "node:buffer";
// @ts-types="npm:@types/web-push@3.6.4"
import webpush from "npm:web-push@3.6.7";

import { ask, byStatus } from "./http.ts";
import { data, fits, words } from "./message.ts";
import type { Push, Result } from "./project.ts";

const DAY_S = 86_400;

/** Returns 22 characters for a room, of the 32 that a topic may have. */
function topic(roomId: string): string {
  return Buffer.from(roomId.replaceAll("-", ""), "hex").toString("base64url");
}

/** Returns where to send. Registering lets only https and hosts of push_hosts through. */
function destination(endpoint: string): string | null {
  const url = new URL(endpoint);
  if (url.protocol !== "https:") return null;
  const instead = Deno.env.get("WEB_PUSH_URL");
  return instead ? instead + url.pathname + url.search : endpoint;
}

/** Sends one push. */
export async function sendToWeb(push: Push): Promise<Result> {
  const [publicKey, privateKey, subject] = ["PUBLIC_KEY", "PRIVATE_KEY", "SUBJECT"]
    .map((name) => Deno.env.get(`VAPID_${name}`));
  if (!publicKey || !privateKey || !subject) return { outcome: "failed" };
  const payload = {
    title: push.title,
    body: words(push),
    tag: push.room_id,
    data: data(push),
  };
  if (!fits(payload)) return { outcome: "failed" };
  let details: ReturnType<typeof webpush.generateRequestDetails>;
  try {
    details = webpush.generateRequestDetails(
      JSON.parse(push.push_token),
      JSON.stringify(payload),
      {
        vapidDetails: { subject, publicKey, privateKey },
        TTL: DAY_S,
        urgency: "high",
        topic: topic(push.room_id ?? ""),
      },
    );
  } catch {
    // The keys of the subscription are malformed.
    return { outcome: "dead" };
  }
  const url = destination(details.endpoint);
  if (url === null) return { outcome: "dead" };
  const answer = await ask(url, {
    method: "POST",
    headers: Object.fromEntries(
      Object.entries(details.headers)
        .filter(([name]) => name.toLowerCase() !== "content-length")
        .map(([name, value]) => [name, String(value)]),
    ),
    body: new Uint8Array(details.body!),
  });
  if (answer.status === 404 || answer.status === 410) return { outcome: "dead" };
  return byStatus(answer) ?? { outcome: "sent" };
}
