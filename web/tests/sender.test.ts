import { afterEach, expect, test, vi } from "vitest";
import { ParleyError } from "../src/errors.ts";
import {
  type Action,
  addAction,
  dismissAction,
  retryAction,
  saidWith,
  written,
} from "../src/outbox.ts";
import type { Row } from "../src/rows.ts";
import { type Copy, copyOf } from "./copy.ts";
import { BOB, FakeServer, ME, messageRow, ROOM, step } from "./fakes.ts";

const CLIENT = "00000000-0000-4000-8000-0000000000c1";
const SECOND = "00000000-0000-4000-8000-0000000000c2";

let copy: Copy;
let server: FakeServer;
afterEach(() => copy.end());

/** A copy in step, with what a server answers to `send_messages` by client_id. */
async function begin(outcomes: Readonly<Record<string, Row>> = {}): Promise<void> {
  server = new FakeServer("One");
  server.answer = (name, parameters) => {
    if (name !== "send_messages") return null;
    return (parameters["items"] as Row[]).map((item) => ({
      client_id: item["client_id"],
      message: null,
      reason: null,
      after: null,
      ...outcomes[item["client_id"] as string],
    }));
  };
  copy = await copyOf(server);
  await copy.engine.sync();
}

const act = (action: Partial<Action> & Pick<Action, "kind">) =>
  written(copy.storage, ME, (draft) => addAction(draft, { room_id: ROOM, ...action }));
const send = (client_id: string, body: string) => act({ kind: "send", client_id, said: { body } });
const sentRow = (client_id: string, seq: number) =>
  messageRow(seq, seq, "Hello", { sender_id: ME, client_id });

/** Flush what waits, and stop. */
async function flush(count: number): Promise<void> {
  const running = copy.sender.run();
  copy.sender.wake();
  await vi.waitFor(() => expect(copy.settled.length).toBeGreaterThanOrEqual(count));
  copy.end();
  await running;
}

test("a message is shown at once, pending, and sent until its row is here", async () => {
  await begin({ [CLIENT]: { outcome: "sent", message: sentRow(CLIENT, 2) } });
  await send(CLIENT, "Hello");
  expect(await copy.messages()).toMatchObject([{ body: "One" }, {
    body: "Hello",
    state: "pending",
    seq: null,
  }]);
  await flush(1);
  expect(await copy.messages()).toMatchObject([{ seq: 1 }, {
    body: "Hello",
    state: "sent",
    seq: 2,
  }]);
  expect(await copy.outbox()).toMatchObject([{ state: "sent", rev: 2 }]);
});

test("the row of a message takes its place, whoever told first", async () => {
  await begin();
  await send(CLIENT, "Hello");
  copy.engine.hear(step(1, 2, [sentRow(CLIENT, 2)]));
  await copy.engine.heard();
  expect(await copy.outbox()).toEqual([]);
  expect(await copy.messages()).toMatchObject([{ seq: 1 }, { seq: 2, state: "sent" }]);
});

test("a duplicate is accepted, and a refusal is listed with its slug", async () => {
  await begin({
    [CLIENT]: { outcome: "duplicate", message: sentRow(CLIENT, 2) },
    [SECOND]: { outcome: "rejected", reason: "member_muted" },
  });
  await send(CLIENT, "Hello");
  await send(SECOND, "And again");
  await act({ kind: "edit", client_id: SECOND, said: { body: "Never" } });
  await flush(2);
  expect(await copy.outbox()).toMatchObject([
    { state: "sent" },
    { state: "failed", reason: "member_muted" },
    { kind: "edit", state: "discarded", reason: "member_muted" },
  ]);
  expect((await copy.messages()).at(-1)).toMatchObject({ state: "failed", reason: "member_muted" });
});

test("what has to wait holds its room, and nothing is overtaken", async () => {
  await begin({
    [CLIENT]: { outcome: "later", after: 30 },
    [SECOND]: { outcome: "later", after: 30 },
  });
  await send(CLIENT, "Hello");
  await send(SECOND, "And again");
  const running = copy.sender.run();
  copy.sender.wake();
  await vi.waitFor(() => expect(server.calls).toHaveLength(1));
  copy.sender.wake();
  await new Promise((resolve) => setTimeout(resolve, 30));
  copy.end();
  await running;
  expect(server.calls).toHaveLength(1);
  expect((await copy.outbox()).map((item) => item.state)).toEqual(["pending", "pending"]);
});

test("a mark that waits moves forward, and only forward", async () => {
  await begin();
  await act({ kind: "read", seq: 3 });
  await act({ kind: "read", seq: 5 });
  await act({ kind: "read", seq: 4 });
  expect(await copy.outbox()).toMatchObject([{ kind: "read", seq: 5 }]);
});

test("an edit of a message that has no number yet is about the one it gets", async () => {
  await begin({ [CLIENT]: { outcome: "sent", message: sentRow(CLIENT, 2) } });
  await send(CLIENT, "Hello");
  await act({ kind: "edit", client_id: CLIENT, said: { body: "Hallo" } });
  expect((await copy.messages()).at(-1)).toMatchObject({ body: "Hallo", state: "pending" });
  await flush(2);
  expect(server.calls.at(-1)).toMatchObject(["edit_message", {
    room_id: ROOM,
    seq: 2,
    body: "Hallo",
  }]);
});

test("a refused action can be tried again or forgotten", async () => {
  await begin();
  server.answer = () => {
    throw new ParleyError("not_allowed", "No.");
  };
  await act({ kind: "react", seq: 1, said: { emoji: "👍" } });
  await flush(1);
  const [failed] = await copy.outbox();
  expect(failed).toMatchObject({ state: "failed", reason: "not_allowed" });
  await written(copy.storage, ME, (draft) => retryAction(draft, failed?.id ?? 0));
  expect(await copy.outbox()).toMatchObject([{ state: "pending", reason: "" }]);
  await written(copy.storage, ME, (draft) => dismissAction(draft, failed?.id ?? 0));
  expect(await copy.outbox()).toHaveLength(1);
});

test("a network that fails keeps what waits", async () => {
  await begin();
  server.answer = () => {
    throw new ParleyError("unreachable", "No network.");
  };
  await send(CLIENT, "Hello");
  const running = copy.sender.run();
  copy.sender.wake();
  await vi.waitFor(() => expect(server.calls.length).toBeGreaterThan(1), 5000);
  copy.end();
  await running;
  expect(await copy.outbox()).toMatchObject([{ state: "pending" }]);
});

test("outcomes of something else are refused, and hold the room", async () => {
  await begin();
  server.answer =
    () => [{ client_id: BOB, outcome: "sent", message: null, reason: null, after: null }];
  await send(CLIENT, "Hello");
  const running = copy.sender.run();
  copy.sender.wake();
  await vi.waitFor(() => expect(server.calls).toHaveLength(1));
  copy.end();
  await running;
  expect(await copy.outbox()).toMatchObject([{ state: "pending" }]);
});

test("nothing is done in a room that is not here", async () => {
  await begin();
  const late = act({ kind: "send", room_id: BOB, client_id: CLIENT, said: { body: "x" } });
  await expect(late).rejects.toMatchObject({ slug: "room_not_found" });
  expect(await copy.outbox()).toEqual([]);
});

test("what cannot be sent is refused before it is written down", () => {
  expect(saidWith({ body: "x", reply_to: undefined })).toEqual({ body: "x" });
  expect(saidWith({ emoji: "❤" })).toEqual({ emoji: "❤️" });
  for (
    const said of [{ body: "\ud800" }, { metadata: { n: Number.NaN } }, { attachments: [() => 1] }]
  ) {
    expect(() => saidWith(said as never)).toThrow(ParleyError);
  }
});
