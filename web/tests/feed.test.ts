import { expect, test } from "vitest";

import { change } from "../src/change.ts";
import { Feed } from "../src/feed.ts";
import { ROOM } from "./fakes.ts";

test("changes that nobody takes become one for each table, fresh and without keys", async () => {
  const feed = new Feed();
  const changes = feed.changes();
  const keys = Array.from({ length: 3000 }, (_, at) => at);
  const tell = (name: string) =>
    feed.emit([change(null, { table: { name, keys, is_fresh: false, fault: null } })]);
  for (const name of ["public.notes", "public.payments", "public.notes"]) tell(name);
  feed.emit([change(ROOM)]);
  tell("public.payments");
  feed.end();
  const told: unknown[] = [];
  for await (const { room_id, table } of changes) told.push(table ?? room_id);
  expect(told).toEqual([
    { name: "public.notes", keys: [], is_fresh: true, fault: null },
    ROOM,
    { name: "public.payments", keys: [], is_fresh: true, fault: null },
  ]);
});
