/** A bad line: requests are lost before or after the server acted, events are dropped, repeated and swapped. */

/** How bad the line is now: shares from 0 to 1. */
export const faults = { lose: 0, forget: 0, drop: 0, repeat: 0, delay: 0, cut: 0 };

/** What has been in the way so far. */
export const counts: Record<string, number> = {};

function happens(fault: keyof typeof faults): boolean {
  if (Math.random() >= faults[fault]) return false;
  counts[fault] = (counts[fault] ?? 0) + 1;
  return true;
}

const ask = globalThis.fetch.bind(globalThis);
globalThis.fetch = async (...request) => {
  if (happens("lose")) throw new TypeError("the request was lost");
  const answer = await ask(...request);
  if (happens("forget")) throw new TypeError("the answer was lost");
  return answer;
};

globalThis.WebSocket = class extends WebSocket {
  override set onmessage(listener: ((event: MessageEvent) => void) | null) {
    super.onmessage = (event) => {
      if (happens("cut")) this.close();
      if (happens("drop")) return;
      if (happens("repeat")) listener?.(event);
      if (happens("delay")) setTimeout(() => listener?.(event), 300 * Math.random());
      else listener?.(event);
    };
  }
};

/** Do random things for so many milliseconds; returns the client_ids of what was sent. */
export async function fuzz([name, milliseconds]: [string, number]): Promise<string[]> {
  const sent: string[] = [];
  const ends = performance.now() + milliseconds;
  const one = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;
  while (performance.now() < ends) {
    await new Promise((resolve) => setTimeout(resolve, 150 * Math.random()));
    try {
      const rooms = await parley.rooms();
      if (rooms.length === 0) continue;
      const { id } = one(rooms);
      const messages = (await parley.messages(id)).filter((each) => each.kind === "text");
      const mine = messages.filter((each) => each.sender_id === parley.status.me);
      const emoji = one(["👍", "❤️", "😂"]);
      const action = Math.random();
      if (action < 0.5 || messages.length === 0) {
        const message = await parley.send(id, `${name} ${Math.random()}`);
        sent.push(message.client_id as string);
      } else if (action < 0.6 && mine.length > 0) await parley.edit(one(mine), `edited ${Math.random()}`);
      else if (action < 0.65 && mine.length > 0) await parley.remove(one(mine));
      else if (action < 0.78) await parley.react(one(messages), emoji);
      else if (action < 0.84) await parley.unreact(one(messages), emoji);
      else if (action < 0.92) await parley.markRead(id);
      else if (action < 0.96) parley.open(id);
      else await parley.older(id, { page_size: 40 });
    } catch (error) {
      // What the server or the line refuses is nothing that anybody could help.
      if ((error as Error).name !== "ParleyError") throw error;
    }
  }
  return sent;
}
