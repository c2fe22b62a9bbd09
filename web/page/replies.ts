/** What has been seen of the threads of a room: how many answers each has, and when the last one came. */
import type { Message } from "../src/index.ts";
import { isNumber, isText } from "../src/rows.ts";
import type { Server } from "./server.ts";

/** A thread as the line under its first message. */
export interface Thread {
  readonly count: number;
  readonly last_at: string;
  /** Who answered, the last one first. */
  readonly people: readonly string[];
}

interface Reply {
  readonly seq: number;
  readonly sender_id: string;
  readonly created_at: string;
}

const MOST_COUNTED = 1000;

export class Replies {
  readonly #threads = new Map<number, Map<number, Reply>>();

  /** Take what messages say about threads. */
  learn(messages: readonly Message[]): void {
    for (const { seq, thread_root, deleted_at, sender_id, created_at } of messages) {
      if (seq === null || thread_root === null) continue;
      if (deleted_at === null) this.#put(thread_root, { seq, sender_id, created_at });
      else this.#threads.get(thread_root)?.delete(seq);
    }
  }

  /** Ask the server for the answers to a span of messages, where answers may be outside of what was read. */
  async ask(server: Server, room_id: string, first: number, last: number): Promise<void> {
    const rows = await server.rows(
      server.chat.from("messages").select("seq,thread_root,sender_id,created_at")
        .eq("room_id", room_id).gte("thread_root", first).lte("thread_root", last)
        .is("deleted_at", null).order("seq").limit(MOST_COUNTED),
    );
    for (const { seq, thread_root, sender_id, created_at } of rows) {
      if (isNumber(seq) && isNumber(thread_root) && isText(sender_id) && isText(created_at)) {
        this.#put(thread_root, { seq, sender_id, created_at });
      }
    }
  }

  /** The threads that some messages began, by their seq. */
  of(messages: readonly Message[]): { readonly [seq: number]: Thread } {
    const threads: { [seq: number]: Thread } = {};
    for (const { seq } of messages) {
      const replies = [...(this.#threads.get(seq ?? 0)?.values() ?? [])].sort((a, b) =>
        b.seq - a.seq
      );
      const [last] = replies;
      if (seq === null || last === undefined) continue;
      threads[seq] = {
        count: replies.length,
        last_at: last.created_at,
        people: [...new Set(replies.map(({ sender_id }) => sender_id))].slice(0, 3),
      };
    }
    return threads;
  }

  #put(root: number, reply: Reply): void {
    const thread = this.#threads.get(root) ?? new Map<number, Reply>();
    this.#threads.set(root, thread.set(reply.seq, reply));
  }
}
