// Compares two texts in a time that tells nothing about where they differ.

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";

// Digests are equally long whatever the texts are, so their length tells nothing either.
async function digest(text: string): Promise<Buffer> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Tells whether a text is the secret. */
export async function isSecret(text: string, secret: string): Promise<boolean> {
  return timingSafeEqual(await digest(text), await digest(secret));
}
