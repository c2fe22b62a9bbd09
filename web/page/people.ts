/** The people of the copy and of a room: hooks that are right again after every change, like those of the package. */
import { useMemo } from "react";
import { useQuery } from "../react/provider.ts";
import { type Loading, Query, queryOf } from "../react/query.ts";
import type { MemberRow, ProfileRow, Room } from "../src/index.ts";
import { useClient, useMe } from "./page.ts";

interface People extends Loading {
  readonly people: readonly ProfileRow[];
}

interface Members extends Loading {
  readonly members: readonly MemberRow[];
}

const NOBODY: People = { people: [], isLoading: true };
const NO_MEMBERS: Members = { members: [], isLoading: true };

/** Everybody of whom the copy has a profile. */
export function usePeople(): readonly ProfileRow[] {
  const parley = useClient();
  const query = queryOf(parley, "page people", () =>
    new Query<People>(parley, {
      empty: NOBODY,
      read: async () => ({ people: await parley.people(), isLoading: false }),
      isAbout: (change) => change.people.length > 0 || change.is_fresh,
    }));
  return useQuery(query, NOBODY).people;
}

/** The people who are in a room. */
export function useMembers(room_id: string): readonly MemberRow[] {
  const parley = useClient();
  const query = queryOf(parley, `page members ${room_id}`, () =>
    new Query<Members>(parley, {
      empty: NO_MEMBERS,
      read: async () => ({ members: await parley.members(room_id), isLoading: false }),
      isAbout: (change) =>
        change.room_id === room_id && (change.is_fresh || "members" in change.rows),
    }));
  return useQuery(query, NO_MEMBERS).members;
}

/** What somebody is called here. */
export type NameOf = (user_id: string) => string;

/** A function that tells what somebody is called; the same one until a name changes. */
export function useNames(): NameOf {
  const people = usePeople();
  return useMemo(() => {
    const names = new Map(people.map((each) => [each.user_id, each.display_name]));
    return (user_id) => names.get(user_id) ?? "Somebody";
  }, [people]);
}

/** What a room is called: by its name, or by the other person. */
export function titleOf(room: Room, nameOf: NameOf): string {
  return room.name ?? (room.other_id === null ? "Room" : nameOf(room.other_id));
}

/** Everybody but this person, by name. */
export function useOthers(): readonly ProfileRow[] {
  const me = useMe();
  const people = usePeople();
  return useMemo(
    () =>
      people
        .filter((each) => each.user_id !== me && each.closed_at === null)
        .sort((a, b) => a.display_name.localeCompare(b.display_name)),
    [people, me],
  );
}
