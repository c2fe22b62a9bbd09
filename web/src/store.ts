/**
 * The local copy of one account: rows and how far they go, always written together.
 *
 * The leader alone writes rows. It takes a number, its term, and every transaction of its checks that nobody
 * took a later one: a tab that was frozen and woke up writes nothing. How far each stream goes is also kept
 * in memory, because it is asked for with every event.
 */
import {
  discardUndone,
  emptyRows,
  newAccount,
  putSeen,
  sendAgain,
  SHAPE,
  unfetched,
} from "./account_rows.ts";
import { Draft } from "./draft.ts";
import { type Asked, type Held, type Position, Positions } from "./positions.ts";
import { peopleIn, putProfiles, settleProfiles } from "./profile_rows.ts";
import { putOlder, putRoom } from "./room_rows.ts";
import { countOlder } from "./older.ts";
import { numberOf, refused, type Row, type Rows } from "./rows.ts";
import type { Answer, Step } from "./steps.ts";
import { type Storage, under } from "./storage/storage.ts";
import type { Account } from "./storage/tables.ts";
import { Deposed } from "./deposed.ts";
import type { Change } from "./types.ts";
import { dropRoomsLeft, putUser, settleDoubts } from "./user_rows.ts";

export class Store {
  #account: Account | null = null;
  readonly #positions = new Positions();
  readonly #keepFrom = new Map<string, number>();

  constructor(
    readonly storage: Storage,
    readonly me: string,
  ) {}

  /** Take the next term and look how far the copy goes. Nobody else writes rows from then on. */
  async begin(): Promise<void> {
    await this.storage.write(async (tx) => {
      const kept = (await tx.get("account", 1)) ?? newAccount(this.me);
      if (kept.shape !== SHAPE) await emptyRows(new Draft(tx, kept));
      if ((await tx.get("whole", 1)) === undefined) {
        // Messages left on a full disk, and the tab ended before it could write down which.
        for (const room of await tx.list("rooms")) await tx.put("rooms", { ...room, rev: null });
        await tx.put("whole", { only: 1 });
      }
      const account = {
        ...kept,
        ...(kept.shape === SHAPE ? {} : unfetched),
        shape: SHAPE,
        term: kept.term + 1,
      };
      await tx.put("account", account);
      this.#account = account;
      this.#positions.clear();
      for (const room of await tx.list("rooms")) this.#positions.note(room.room_id, room);
    }, true);
  }

  /** What the copy says about itself. */
  get account(): Account {
    if (this.#account === null) throw new Deposed("this tab does not lead");
    return this.#account;
  }

  /** How far the copy of each room goes. */
  get positions(): ReadonlyMap<string, Position> {
    return this.#positions;
  }

  /** Write as the leader, all or nothing. Throws Deposed when another tab took over. */
  async write<R>(work: (draft: Draft) => Promise<R>): Promise<R> {
    const { term } = this.account;
    const [result, account, rooms] = await this.storage.write(async (tx) => {
      const kept = await tx.get("account", 1);
      if (kept?.term !== term) throw new Deposed("another tab leads now");
      const draft = new Draft(tx, kept);
      const done = await work(draft);
      return [done, draft, await draft.finish()] as const;
    }).then(([done, draft, rooms]) => [done, draft.account, rooms] as const);
    this.#account = account;
    for (const [roomId, room] of rooms) this.#positions.note(roomId, room);
    return result;
  }

  /** Apply a step that joins on to what is there; null when it does not and must be pulled. */
  async applyStep(step: Step): Promise<Change[] | null> {
    if (step.rows === null || this.#rev(step.room_id) !== step.begin) return null;
    return this.write(async (draft) =>
      (await revOf(draft, step.room_id)) === step.begin ? this.#put(draft, step) : null
    );
  }

  /**
   * Apply what a pull brought, except to streams that moved meanwhile.
   *
   * An answer from a snapshot that does not see yet what the copy has is left alone as well. Throws
   * AnswerRefused, with nothing written, when it does not begin where it was asked to.
   */
  applyAnswer(asked: Asked, answer: Answer): Promise<Change[]> {
    return this.write(async (draft) => {
      if (asked.timeline === null && draft.account.timeline === null) {
        draft.account = { ...draft.account, timeline: answer.timeline };
      }
      const own = answer.user;
      if (draft.account.timeline !== answer.timeline || own === null) return [];
      let changes: Change[] = [];
      let isOwnFresh = false;
      for (const step of [own, ...answer.rooms]) {
        const have = (step.room_id === null ? asked.user : asked.rooms.get(step.room_id)) ?? null;
        if (step.begin !== null && step.begin !== have) {
          throw refused("it does not begin where it was asked to");
        }
        const isKnown = step.room_id === null ||
          ((await draft.room(step.room_id))?.is_here ?? false);
        if (isKnown && (await revOf(draft, step.room_id)) === have && (have ?? 0) <= step.to) {
          changes.push(...(await this.#put(draft, step)));
          isOwnFresh ||= step.room_id === null && step.begin === null;
        }
      }
      const ownRev = draft.account.rev;
      if (ownRev !== null && ownRev <= own.to) {
        // The server counted with all marks that are here.
        await countOlder(draft, asked.first, answer);
        if (ownRev === own.to && !answer.more) {
          changes = [...(await dropRoomsLeft(draft)), ...changes];
        }
      }
      await settleDoubts(draft, isOwnFresh);
      return [...changes, ...(await putSeen(draft, answer))];
    });
  }

  /**
   * Ask for everything anew, because the numbers are those of another history.
   *
   * What is there stays readable until the answers replace it. Sends and marks that no step has confirmed go
   * again; edits, deletions and reactions may be about another message now, and are discarded.
   */
  startOver(timeline: string): Promise<void> {
    return this.write(async (draft) => {
      await sendAgain(draft);
      await discardUndone(draft);
      draft.account = {
        ...draft.account,
        timeline,
        rev: null,
        seen: null,
        has_profile_doubts: true,
      };
      for (const room of await draft.rooms()) await draft.change(room.room_id, { rev: null });
    });
  }

  /** Ask for one stream anew, unless it moved: the server does not know these numbers. */
  distrust(roomId: string | null, have: number): Promise<void> {
    return this.write(async (draft) => {
      await sendAgain(draft);
      if (roomId === null) {
        if (draft.account.rev === have) draft.account = { ...draft.account, rev: null };
      } else if ((await draft.room(roomId))?.rev === have) {
        await draft.change(roomId, { rev: null });
      }
    });
  }

  /** Keep profiles of people whom rows name. */
  putProfiles(profiles: readonly Row[]): Promise<Change[]> {
    return this.write((draft) => putProfiles(draft, profiles));
  }

  /** Write what the server says of people in doubt that it was asked about. */
  settleProfiles(asked: readonly string[], profiles: readonly Row[]): Promise<Change[]> {
    return this.write((draft) => settleProfiles(draft, asked, profiles));
  }

  /** Note that the server was asked about everybody. */
  endProfileDoubts(): Promise<void> {
    return this.write(async (draft) => {
      draft.account = { ...draft.account, has_profile_doubts: false };
    });
  }

  /** Whose profile is here. */
  async peopleHere(): Promise<string[]> {
    return (await this.storage.read((tx) => tx.list("profiles"))).map((each) => each.user_id);
  }

  /** The people in these changes whose profile is not here. */
  async unknownPeople(changes: readonly Change[]): Promise<string[]> {
    const named = [...peopleIn(changes.map((each) => each.rows))];
    if (named.length === 0) return [];
    const profiles = await this.storage.read((tx) =>
      Promise.all(named.map((each) => tx.get("profiles", each)))
    );
    return named.filter((_, place) => profiles[place] === undefined);
  }

  /** How far the copy of a room goes, and the (seq, rev) of its messages; null when it is not here. */
  held(roomId: string): Promise<Held | null> {
    return this.storage.read(async (tx) => {
      const room = await tx.get("rooms", roomId);
      if (!room?.is_here) return null;
      const messages = await tx.list("messages", under([roomId], room.first_seq));
      const { rev, first_seq } = room;
      return { rev, first_seq, messages: messages.map((each) => [each.seq, each.rev] as const) };
    });
  }

  /** Keep what steps say about messages from here on, while they are being fetched. */
  async keepingFrom<R>(roomId: string, first: number, work: () => Promise<R>): Promise<R> {
    this.#keepFrom.set(roomId, first);
    try {
      return await work();
    } finally {
      this.#keepFrom.delete(roomId);
    }
  }

  /** Lower the range of a room from `before`; tells whether it was done, and not moved or cleared meanwhile. */
  extend(roomId: string, before: number, first: number, rows: Rows): Promise<boolean> {
    return this.write(async (draft) => {
      const room = await draft.room(roomId);
      if (!room?.is_here || room.first_seq !== before) return false;
      if (first <= numberOf(room.preferences, "cleared_seq")) return false;
      await putOlder(draft, roomId, first, rows);
      return true;
    });
  }

  #rev(roomId: string | null): number | null {
    return roomId === null ? this.account.rev : (this.#positions.get(roomId)?.rev ?? null);
  }

  async #put(draft: Draft, step: Step): Promise<Change[]> {
    if (step.room_id === null) return putUser(draft, step);
    const done = await putRoom(draft, step, step.room_id, this.#keepFrom.get(step.room_id) ?? null);
    return done === null ? [] : [done];
  }
}

async function revOf(draft: Draft, roomId: string | null): Promise<number | null> {
  return roomId === null ? draft.account.rev : ((await draft.room(roomId))?.rev ?? null);
}
