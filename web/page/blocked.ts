/** Whom this person has blocked, out of the copy: right without a network, too. */
import { useQuery } from "../react/provider.ts";
import { type Loading, Query, queryOf } from "../react/query.ts";
import { useClient } from "./page.ts";

interface Blocked extends Loading {
  readonly blocked: readonly string[];
}

const NOBODY: Blocked = { blocked: [], isLoading: true };

/** Their ids. */
export function useBlocked(): readonly string[] {
  const parley = useClient();
  const query = queryOf(parley, "page blocked", () =>
    new Query<Blocked>(parley, {
      empty: NOBODY,
      read: async () => ({ blocked: await parley.blocked(), isLoading: false }),
      isAbout: (change) => change.is_fresh || "blocks" in change.rows,
    }));
  return useQuery(query, NOBODY).blocked;
}
