import { expect, test } from "vitest";

import vectors from "../../tests/vectors/checksums.json";
import { checksum, compare } from "../src/checksum.ts";
import { copyOf } from "./copy.ts";
import { FakeServer, ROOM } from "./fakes.ts";

test.each(vectors)("$says", ({ messages, count, sum }) => {
  expect(checksum(messages as [number, number][])).toEqual({ count, sum });
});

/** A copy of a server, which answers with the sum of what it has. */
async function compared(change: (server: FakeServer) => void) {
  const server = new FakeServer("One", "Two", "Three");
  const copy = await copyOf(server);
  await copy.engine.sync();
  change(server);
  server.answer = (name, { room_id, from_seq }) => {
    const messages = server.messages.slice((from_seq as number) - 1, server.rev);
    const sums = checksum(messages.map((row) => [row["seq"], row["rev"]] as [number, number]));
    return name === "room_checksum" ? { room_id, from_seq, rev: server.rev, ...sums } : null;
  };
  const differences = await compare(copy.store, server, copy.engine);
  copy.end();
  return differences;
}

test("a copy that has what the server has differs in nothing, also when it was behind", async () => {
  expect(await compared(() => undefined)).toEqual([]);
  expect(await compared((server) => void server.say("Four"))).toEqual([]);
});

test("a room with another message than the server's is told, with what is here and there", async () => {
  const differences = await compared((server) => {
    server.messages[1] = { ...server.messages[1], rev: 9 };
  });
  expect(differences).toEqual([{
    room_id: ROOM,
    here: { rev: 3, ...checksum([[1, 1], [2, 2], [3, 3]]) },
    there: { rev: 3, ...checksum([[1, 1], [2, 9], [3, 3]]) },
  }]);
});
