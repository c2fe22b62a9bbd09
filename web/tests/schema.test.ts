/** What the client says of rows is what the schema has: `tsc` fails where it is not. */

import { expectTypeOf, test } from "vitest";

import type {
  MessagesRow,
  NotificationsRow,
  ProfilesRow,
  RoomMembersRow,
  RoomPreferencesRow,
  RoomsRow,
} from "../src/api.ts";
import type {
  MemberRow,
  Message,
  Notification,
  PreferencesRow,
  ProfileRow,
  RoomRow,
} from "../src/types.ts";

/** Columns of jsonb: what is in them is said more exactly here than in the schema. */
type Loose = "metadata" | "attachments" | "data";

test("the rows that an app meets have the columns of the database", () => {
  expectTypeOf<RoomsRow>().toExtend<Omit<RoomRow, Loose>>();
  expectTypeOf<RoomMembersRow>().toExtend<MemberRow>();
  expectTypeOf<ProfilesRow>().toExtend<Omit<ProfileRow, Loose>>();
  expectTypeOf<RoomPreferencesRow>().toExtend<PreferencesRow>();
  expectTypeOf<NotificationsRow>().toExtend<Omit<Notification, Loose | "is_read">>();
});

test("a message has every column", () => {
  expectTypeOf<keyof MessagesRow>().toExtend<keyof Message>();
  expectTypeOf<MessagesRow["kind"]>().toExtend<Message["kind"]>();
});
