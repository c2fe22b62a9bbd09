// FCM, HTTP v1: a message in a request, with a token that a service account's key is signed for.

import { ask, byStatus } from "./http.ts";
import { data, fits, words } from "./message.ts";
import type { Push, Result } from "./project.ts";

interface ServiceAccount {
  project_id: string;
  client_email: string;
  private_key: string;
  token_uri?: string;
}

const SCOPE = "https://www.googleapis.com/auth/firebase.messaging";
let cached: { token: string; until: number } | null = null;

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function account(): ServiceAccount | null {
  const text = Deno.env.get("FCM_SERVICE_ACCOUNT");
  return text ? JSON.parse(text) : null;
}

async function sign(text: string, key: string): Promise<string> {
  const der = Uint8Array.from(
    atob(key.replace(/-----[^-]+-----/g, "").replace(/\s/g, "")),
    (each) => each.charCodeAt(0),
  );
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign(
    algorithm.name,
    imported,
    new TextEncoder().encode(text),
  );
  return base64url(new Uint8Array(signature));
}

/** Returns an access token, or null where Google gives none now. */
async function accessToken(from: ServiceAccount): Promise<string | null> {
  if (cached !== null && cached.until > Date.now()) return cached.token;
  const uri = Deno.env.get("FCM_TOKEN_URL") ?? from.token_uri ??
    "https://oauth2.googleapis.com/token";
  const now = Math.floor(Date.now() / 1000);
  const encode = (part: unknown) => base64url(new TextEncoder().encode(JSON.stringify(part)));
  const claims = { iss: from.client_email, scope: SCOPE, aud: uri, iat: now, exp: now + 3600 };
  const unsigned = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  const answer = await ask(uri, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: `${unsigned}.${await sign(unsigned, from.private_key)}`,
    }).toString(),
  });
  const body = answer.body as { access_token?: string; expires_in?: number } | null;
  if (answer.status !== 200 || typeof body?.access_token !== "string") return null;
  cached = { token: body.access_token, until: Date.now() + ((body.expires_in ?? 300) - 60) * 1000 };
  return cached.token;
}

/** Writes a push as FCM takes it. No collapse_key: FCM keeps four of them per device. */
export function fcmMessage(push: Push): Record<string, unknown> {
  if (push.kind === "clear") {
    return {
      token: push.push_token,
      data: data(push),
      apns: {
        headers: { "apns-push-type": "alert", "apns-priority": "5" },
        payload: {
          aps: {
            badge: push.badge ?? 0,
            ...(push.is_background ? { "content-available": 1 } : {}),
          },
        },
      },
    };
  }
  return {
    token: push.push_token,
    notification: { title: push.title, body: words(push) },
    data: data(push),
    android: {
      priority: "HIGH",
      notification: {
        tag: push.room_id,
        channel_id: "chat-messages",
        notification_count: push.badge ?? 0,
      },
    },
    apns: {
      headers: { "apns-collapse-id": push.room_id },
      payload: { aps: { badge: push.badge ?? 0, sound: "default", "thread-id": push.room_id } },
    },
  };
}

/** Sends one push. */
export async function sendToFcm(push: Push): Promise<Result> {
  const from = account();
  if (from === null) return { outcome: "failed" };
  const message = fcmMessage(push);
  if (!fits(message)) return { outcome: "failed" };
  const token = await accessToken(from);
  if (token === null) return { outcome: "retry" };
  const origin = Deno.env.get("FCM_URL") ?? "https://fcm.googleapis.com";
  const answer = await ask(`${origin}/v1/projects/${from.project_id}/messages:send`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ message }),
  });
  const error = (answer.body as { error?: { details?: { errorCode?: string }[] } } | null)?.error;
  if (error?.details?.some((each) => each?.errorCode === "UNREGISTERED")) {
    return { outcome: "dead" };
  }
  if (answer.status === 401) {
    cached = null;
    return { outcome: "retry" };
  }
  const name = (answer.body as { name?: unknown } | null)?.name;
  return byStatus(answer) ?? { outcome: typeof name === "string" ? "sent" : "retry" };
}
