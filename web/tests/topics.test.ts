import { expect, test } from "vitest";

import { Topics } from "../src/topics.ts";
import { ME, ROOM } from "./fakes.ts";

const NIL = "00000000-0000-0000-0000-000000000000";

/** The topics of somebody with no room on screen. */
async function wanted(tenants: readonly string[] | null): Promise<string[]> {
  const topics = new Topics(ME, async () => null);
  topics.move(null, 3);
  topics.follow(tenants);
  return [...(await topics.wanted(new Set()))].sort();
}

test("without tables of tenants no dashboard is listened to", async () => {
  expect(await wanted(null)).toEqual([`user:${ME}:3`]);
});

test("with tables of tenants their dashboards are listened to, and the one of all tenants", async () => {
  expect(await wanted([ROOM])).toEqual([
    `tenant:${NIL}:dashboard`,
    `tenant:${ROOM}:dashboard`,
    `user:${ME}:3`,
  ]);
});

test("of very many tenants the first 50 are listened to", async () => {
  const many = Array.from({ length: 80 }, (_, at) => ROOM.replace(/..$/, String(at + 10)));
  const topics = await wanted(many);
  expect(topics).toHaveLength(52);
  expect(topics).toContain(`tenant:${many[49]}:dashboard`);
  expect(topics).not.toContain(`tenant:${many[50]}:dashboard`);
});
