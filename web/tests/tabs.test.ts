import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Surroundings } from "../src/surroundings.ts";
import type { Call, News } from "../src/tab_messages.ts";
import { Tabs } from "../src/tabs.ts";

/** Web Locks of one browser: one name, a queue, and stealing. */
class Locks {
  #holder: { readonly reject: (error: Error) => void } | null = null;
  readonly #queue: (() => void)[] = [];

  request(
    _: string,
    options: { steal?: boolean; signal?: AbortSignal },
    work: () => Promise<void>,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const hold = () => {
        if (options.signal?.aborted) return this.#next();
        const mine = (this.#holder = { reject });
        void Promise.resolve(work()).then(() => {
          if (this.#holder !== mine) return;
          resolve();
          this.#next();
        });
      };
      options.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
      if (options.steal && this.#holder !== null) {
        this.#holder.reject(new DOMException("", "AbortError"));
        hold();
      } else if (this.#holder === null) hold();
      else this.#queue.push(hold);
    });
  }

  #next(): void {
    this.#holder = null;
    this.#queue.shift()?.();
  }
}

class Hall {
  readonly #channels = new Set<FakeChannel>();

  open(): FakeChannel {
    const channel = new FakeChannel(this.#channels);
    this.#channels.add(channel);
    return channel;
  }
}

class FakeChannel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  isFrozen = false;
  constructor(readonly all: Set<FakeChannel>) {}

  postMessage(data: unknown): void {
    for (const each of this.all) {
      if (each !== this) queueMicrotask(() => !each.isFrozen && each.onmessage?.({ data }));
    }
  }

  close(): void {
    this.all.delete(this);
  }
}

let locks: Locks;
let hall: Hall;
beforeEach(() => {
  vi.useFakeTimers();
  locks = new Locks();
  hall = new Hall();
});
afterEach(() => {
  vi.useRealTimers();
});

function tab(name: string) {
  const channel = hall.open();
  const heard: News[] = [];
  const calls: Call[] = [];
  let isVisible = true;
  let turn: () => void = () => undefined;
  const around = {
    locks,
    openChannel: () => channel,
    isVisible: () => isVisible,
    onVisibility: (listener: () => void) => {
      turn = listener;
      return () => undefined;
    },
  } as unknown as Surroundings;
  const role = {
    lead: async () => undefined,
    depose: vi.fn(),
    answer: async (call: Call) => {
      calls.push(call);
      return name;
    },
    hear: (news: News) => void heard.push(news),
    follow: () => undefined,
  };
  const tabs = new Tabs("account", around, role, () => 0);
  tabs.start();
  return {
    tabs,
    role,
    heard,
    calls,
    channel,
    /** It does nothing any more, and keeps its lock. */
    freeze: () => (channel.isFrozen = true),
    show: (visible: boolean) => {
      isVisible = visible;
      turn();
    },
  };
}

const settle = () => vi.advanceTimersByTimeAsync(50);
const sync = { name: "sync" } as const;

test("the first tab leads, and answers for the others", async () => {
  const [first, second] = [tab("first"), tab("second")];
  await settle();
  expect([first.tabs.isLeader, second.tabs.isLeader]).toEqual([true, false]);
  const answer = second.tabs.ask(sync);
  await settle();
  expect(await answer).toBe("first");
  expect(await first.tabs.ask(sync)).toBe("first");
  first.tabs.tell({ made_in: "x" });
  await settle();
  expect(second.heard).toEqual([{ made_in: "x" }]);
});

test("a leader that is closed is replaced at once", async () => {
  const [first, second] = [tab("first"), tab("second")];
  await settle();
  first.tabs.close();
  await settle();
  expect(second.tabs.isLeader).toBe(true);
  await expect(first.tabs.ask(sync)).rejects.toMatchObject({ slug: "chat_closed" });
});

test("a visible tab takes over from a leader that does not answer for two seconds", async () => {
  const [first, second] = [tab("first"), tab("second")];
  await settle();
  first.freeze();
  const answer = second.tabs.ask(sync);
  await vi.advanceTimersByTimeAsync(1900);
  expect(second.tabs.isLeader).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(second.tabs.isLeader).toBe(true);
  expect(await answer).toBe("second");
  expect(first.role.depose).toHaveBeenCalled();
});

test("a tab that only reads notices a frozen leader as well, and a hidden one leaves it alone", async () => {
  const [first, second, third] = [tab("first"), tab("second"), tab("third")];
  third.show(false);
  await settle();
  first.freeze();
  await vi.advanceTimersByTimeAsync(8000);
  expect([second.tabs.isLeader, third.tabs.isLeader]).toEqual([true, false]);
});

test("a leader that answers is left alone", async () => {
  const [first, second] = [tab("first"), tab("second")];
  await vi.advanceTimersByTimeAsync(60_000);
  expect([first.tabs.isLeader, second.tabs.isLeader]).toEqual([true, false]);
});

test("a hidden leader hands over to a visible tab, and keeps on where there is none", async () => {
  const [first, second] = [tab("first"), tab("second")];
  await settle();
  second.show(false);
  first.show(false);
  await settle();
  expect(first.tabs.isLeader).toBe(true);
  second.show(true);
  await settle();
  expect([first.tabs.isLeader, second.tabs.isLeader]).toEqual([false, true]);
});

test("what a leader did not answer is asked of the next one", async () => {
  const [first, second, third] = [tab("first"), tab("second"), tab("third")];
  await settle();
  first.role.answer = () => new Promise(() => undefined);
  const answer = third.tabs.ask(sync);
  await settle();
  first.tabs.close();
  await settle();
  expect(second.tabs.isLeader).toBe(true);
  expect(await answer).toBe("second");
});

test("without Web Locks a tab works alone", async () => {
  const alone = new Tabs(
    "x",
    { locks: null, openChannel: () => null } as unknown as Surroundings,
    tab("y").role,
    () => 0,
  );
  alone.start();
  await settle();
  expect(alone.isLeader).toBe(true);
});
