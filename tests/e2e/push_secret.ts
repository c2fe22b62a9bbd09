// Asks isSecret about texts whose digests differ from that of the secret in one byte alone, for each
// of the 32, and about texts whose digests are computed as always. Prints what it answered.

import { isSecret } from "../../supabase/functions/_parley/secret.ts";

const secret = "a secret";
const texts = [secret, "", "a secre", "a secret ", "A secret", "a\0secret"];
const computed = [];
for (const text of texts) computed.push(await isSecret(text, secret));

// A text is the place of the byte that is another one; the secret has none.
crypto.subtle.digest = (_, text) => {
  const place = new TextDecoder().decode(text as Uint8Array);
  const digest = new Uint8Array(32).fill(7);
  if (place !== secret) digest[Number(place)] ^= 1;
  return Promise.resolve(digest.buffer);
};
const byByte = [];
for (let place = 0; place < 32; place++) byByte.push(await isSecret(String(place), secret));
console.log(JSON.stringify({ computed, byByte, same: await isSecret(secret, secret) }));
