/** Names behind an @: which one is being written, whom it may mean, and whom a text mentions. */
import { foldText } from "../src/words.ts";

const MOST = 6;
/** What may stand in a name, behind the last @ before the caret. */
const BEGUN = /(?:^|\s)@([\p{L}\p{N}._'-]{0,40})$/u;

export interface Candidate {
  readonly user_id: string;
  readonly name: string;
}

/** The beginning of a name right before the caret; null when there is none. */
export function nameBefore(body: string, caret: number): string | null {
  return BEGUN.exec(body.slice(0, caret))?.[1] ?? null;
}

/** The people whose name begins so. */
export function candidatesFor(begun: string, people: readonly Candidate[]): readonly Candidate[] {
  const start = foldText(begun).trim();
  return people.filter(({ name }) => foldText(name).trimStart().startsWith(start)).slice(0, MOST);
}

/** The ids of the people whom a text names behind an @. */
export function mentionedIn(body: string, people: readonly Candidate[]): string[] {
  return people
    .filter(({ name }) => {
      const at = body.indexOf(`@${name}`);
      return at >= 0 && !/^[\p{L}\p{N}]/u.test(body.slice(at + name.length + 1));
    })
    .map(({ user_id }) => user_id);
}
