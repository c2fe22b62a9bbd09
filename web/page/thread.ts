/** One thread: out of the copy while that goes back to its beginning, and else from the server. */
import { useEffect, useState } from "react";
import { share } from "../react/share.ts";
import { type Change, type Message, type Parley, ParleyError } from "../src/index.ts";
import type { Row } from "../src/rows.ts";
import { throttled } from "../src/timing.ts";
import { useClient } from "./page.ts";
import { withMarks } from "./remote_page.ts";
import { type Server, useServer } from "./server.ts";

const PAGE = 200;
/** So far the copy is looked through; a thread that began earlier is asked for. */
const MOST_PAGES = 5;
/** How often the server is asked again at most. */
const AGAIN_MS = 3000;

/** The first message of a thread and its answers, oldest first; null until they are here. */
export function useThread(room_id: string, root: number): readonly Message[] | null {
  const parley = useClient();
  const server = useServer();
  const [thread, setThread] = useState<readonly Message[] | null>(null);

  useEffect(() => {
    let isShown = true;
    let remote: readonly Message[] | null = null;
    let reading = Promise.resolve();

    async function read(): Promise<void> {
      const local = await readLocal(parley, room_id, root);
      if (!local.isWhole) remote ??= await readRemote(server, room_id, root);
      const numbered = new Map((remote ?? []).map((message) => [message.seq, message]));
      const waiting: Message[] = [];
      for (const message of local.messages) {
        if (message.seq === null) waiting.push(message);
        else numbered.set(message.seq, message);
      }
      const sorted = [...numbered.values()].sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
      const next = [...sorted, ...waiting.filter(({ reply_to }) => numbered.has(reply_to))];
      if (isShown) setThread((before) => share(before, next));
    }

    function hear(changes: readonly Change[]): void {
      const ours = changes.filter((change) => change.room_id === room_id);
      if (ours.length === 0) return;
      const isElsewhere = ours.some(({ rows }) =>
        Object.keys(rows).length === 0 || isAbout(rows["messages"] ?? [], root)
      );
      if (isElsewhere && remote !== null) askAgain();
      reading = reading.then(read).catch(unreadable);
    }

    /** Of what is about messages that the copy does not have, a change has no rows. */
    const askAgain = throttled(() => {
      remote = null;
      reading = reading.then(read).catch(unreadable);
    }, AGAIN_MS);

    reading = reading.then(read).catch(unreadable);
    const stop = parley.subscribe(hear);
    return () => {
      isShown = false;
      stop();
    };
  }, [parley, server, room_id, root]);
  return thread;
}

/** What is shown stays until it can be read. */
function unreadable(error: unknown): void {
  if (!(error instanceof ParleyError)) throw error;
}

function isAbout(rows: readonly Row[], root: number): boolean {
  return rows.some(({ seq, thread_root }) => seq === root || thread_root === root);
}

async function readLocal(
  parley: Parley,
  room_id: string,
  root: number,
): Promise<{ readonly messages: readonly Message[]; readonly isWhole: boolean }> {
  const found: Message[] = [];
  let before: number | null = null;
  for (let turn = 0; turn < MOST_PAGES; turn++) {
    const page: readonly Message[] = await parley.messages(room_id, {
      page_size: PAGE,
      ...(before === null ? {} : { before }),
    });
    found.unshift(
      ...page.filter(({ seq, thread_root }) =>
        seq === null || seq === root || thread_root === root
      ),
    );
    const first = page.find(({ seq }) => seq !== null)?.seq ?? null;
    if (first === null) break;
    if (first <= root) return { messages: found, isWhole: true };
    before = first;
  }
  return { messages: found, isWhole: false };
}

async function readRemote(server: Server, room_id: string, root: number): Promise<Message[]> {
  const rows: Row[] = [];
  for (let turn = 0; turn < MOST_PAGES; turn++) {
    const page = await server.list("list_thread", {
      room_id,
      thread_root: root,
      page_size: PAGE,
      ...(rows.length === 0 ? {} : { after: rows.at(-1)?.["seq"] }),
    });
    if (page.length === 0) break;
    rows.push(...page);
  }
  return withMarks(server, room_id, rows);
}
