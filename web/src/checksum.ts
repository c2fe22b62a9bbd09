/** Does the copy hold what it should? The client's side of `room_checksum`. */
import type { Engine } from "./engine.ts";
import { ParleyError } from "./errors.ts";
import type { Remote } from "./remote.ts";
import { isNumber, refused } from "./rows.ts";
import { member } from "./steps.ts";
import type { Store } from "./store.ts";
import type { Checksum, Difference } from "./types.ts";

const SEQ_MODULUS = 1_000_003;
const REV_MODULUS = 998_244_353;
const SUM_MODULUS = 9_007_199_254_740_881n;
/** How often a room is compared that moves meanwhile. */
const TRIES = 20;

/**
 * Count messages and sum up their (seq, rev) as `room_checksum` does.
 *
 * The sum is below 2^53. It is added up in big integers, because one product alone may be above.
 */
export function checksum(
  messages: Iterable<readonly [seq: number, rev: number]>,
): { count: number; sum: number } {
  let count = 0;
  let sum = 0n;
  for (const [seq, rev] of messages) {
    count += 1;
    sum += BigInt(seq % SEQ_MODULUS + 1) * BigInt(rev % REV_MODULUS + 1);
  }
  return { count, sum: Number(sum % SUM_MODULUS) };
}

/** Compare every room of the copy with the server, once both are at the same number. */
export async function compare(store: Store, remote: Remote, engine: Engine): Promise<Difference[]> {
  const differences: Difference[] = [];
  await engine.sync();
  for (const roomId of [...store.positions.keys()]) {
    const difference = await compareRoom(store, remote, engine, roomId);
    if (difference !== null) differences.push(difference);
  }
  return differences;
}

/** Compare one room; null when it agrees, or is gone meanwhile. */
async function compareRoom(
  store: Store,
  remote: Remote,
  engine: Engine,
  room_id: string,
): Promise<Difference | null> {
  let difference: Difference | null = null;
  for (let time = 0; time < TRIES; time += 1) {
    const from_seq = store.positions.get(room_id)?.first_seq;
    if (from_seq === undefined) return null;
    let there: Checksum;
    try {
      there = readChecksum(await remote.call("room_checksum", { room_id, from_seq }));
    } catch (error) {
      if (!(error instanceof ParleyError) || error.slug !== "room_not_found") throw error;
      await engine.sync();
      continue;
    }
    // Read now: the copy may have moved while the server was counting.
    const held = await store.held(room_id);
    if (held === null) return null;
    const here = { rev: held.rev ?? 0, ...checksum(held.messages) };
    difference = { room_id, here, there };
    if (held.first_seq === from_seq && held.rev === there.rev) {
      return here.count === there.count && here.sum === there.sum ? null : difference;
    }
    await engine.sync();
  }
  return difference;
}

/** Read an answer of `room_checksum`. Throws `answer_refused`. */
function readChecksum(value: unknown): Checksum {
  const [rev, count, sum] = [member(value, "rev"), member(value, "count"), member(value, "sum")];
  if (!isNumber(rev) || !isNumber(count) || !isNumber(sum)) {
    throw refused("a checksum is no number");
  }
  return { rev, count, sum };
}
