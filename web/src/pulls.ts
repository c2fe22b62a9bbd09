/** One pull, and one look at the heads: what is asked for, and what comes of the answer. */
import type { BatchSize } from "./batches.ts";
import type { Remote } from "./remote.ts";
import { refused } from "./rows.ts";
import type { Heads } from "./steps.ts";
import type { Store } from "./store.ts";
import type { Here, Targets } from "./targets.ts";
import type { Change } from "./types.ts";

/** How long, in milliseconds, a copy may be ahead of the server before a restore is why. */
export const TOLD_MOST_MS = 2000;
const WINDOW = 200;
const FIRST_WINDOW = 20;
const MANY_ROOMS = 50;

/** What a pull needs. */
export interface PullParts {
  readonly store: Store;
  readonly remote: Remote;
  readonly targets: Targets;
  /** Tell what changed, after it was committed. */
  readonly emit: (changes: readonly Change[]) => void;
}

/** How far the copy goes. */
export function hereOf(store: Store): Here {
  return { user: store.account.rev, rooms: store.positions };
}

/** Pull rooms and the own stream once; tells whether anything moved, null where another history began. */
export async function pullOnce(
  parts: PullParts,
  roomIds: readonly string[],
  size: BatchSize,
): Promise<boolean | null> {
  const { store, remote, targets, emit } = parts;
  const { timeline, rev: user, seen } = store.account;
  const before = new Map(
    roomIds.flatMap((each) => {
      const position = store.positions.get(each);
      return position === undefined ? [] : [[each, position] as const];
    }),
  );
  const rooms = new Map([...before].map(([each, position]) => [each, position.rev]));
  const first = new Map(
    [...before].flatMap(([each, { may_be_unread, first_seq }]) =>
      may_be_unread ? [[each, first_seq] as const] : []
    ),
  );
  const unknown = [...store.positions.values()].filter(({ rev }) => rev === null).length;
  const window = size.of(unknown > MANY_ROOMS ? FIRST_WINDOW : WINDOW);
  const asked = { timeline, user, rooms, first, seen };
  const answer = await remote.pull(asked, window, size.rows, targets.known(hereOf(store)));
  if (answer.user === null) {
    if (timeline === null || timeline === answer.timeline) {
      throw refused("there is no own stream in it");
    }
    await startOver(parts, answer.timeline);
    return null;
  }
  emit(await store.applyAnswer(asked, answer));
  targets.noteAnswer([null, ...roomIds], answer.more);
  return (
    store.account.rev !== user ||
    [...before].some(([each, position]) => {
      const now = store.positions.get(each);
      return now?.rev !== position.rev || (now.is_counted && !position.is_counted);
    })
  );
}

/**
 * Take heads as what streams were told to be; returns those that nothing else had told of.
 *
 * `isForgetting` forgets what was told before: nothing gets there.
 */
export async function takeHeads(
  parts: PullParts,
  heads: Heads,
  isForgetting: boolean,
): Promise<Map<string | null, number>> {
  const { store, targets } = parts;
  const { timeline, rev } = store.account;
  if (timeline !== null && timeline !== heads.timeline) await startOver(parts, heads.timeline);
  if (isForgetting) {
    targets.clear();
    const isNamed = [...store.positions.keys()].every((each) => heads.rooms.has(each));
    // We hold rooms that the server does not let us into: it did not say so, or we were told of them by
    // mistake.
    if (!isNamed && rev !== null && rev === heads.user.rev) await store.distrust(null, rev);
  }
  const news = targets.compare(heads, hereOf(store));
  const now = performance.now();
  for (const [stream, have] of targets.doubtful(heads, hereOf(store), now, TOLD_MOST_MS)) {
    await store.distrust(stream, have);
  }
  return news;
}

async function startOver({ store, targets }: PullParts, timeline: string): Promise<void> {
  await store.startOver(timeline);
  targets.clear();
}
