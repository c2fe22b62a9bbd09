/** A server with one table of an app, which answers `pull_table` page by page. */
import { ParleyError } from "../src/errors.ts";
import { isObject, type Row } from "../src/rows.ts";
import { FakeServer, ME } from "./fakes.ts";

export const NAME = "public.payments";
export const NORTH = "00000000-0000-4000-8000-0000000000a1";
export const SOUTH = "00000000-0000-4000-8000-0000000000a2";

interface Note {
  readonly tag: string;
  readonly row: Row | null;
}

/** A payment. */
export function payment(id: number, more: Row = {}): Row {
  return { id, tenant_id: NORTH, status: "open", amount: id * 10, ...more };
}

export class FakeTable extends FakeServer {
  tableTimeline = "first";
  /** How many rows and gone rows one answer brings. */
  pageSize = 1000;
  key = ["id"];
  owner = "tenant";
  /** How many of the newest notes a snapshot does not see yet. */
  hiddenNotes = 0;
  /** What an answer becomes before it is sent. */
  bend: (answer: Row) => unknown = (answer) => answer;
  /** What goes wrong at the server. */
  trouble: ParleyError | null = null;
  /** What happens while an answer is on its way. */
  meanwhile: () => Promise<unknown> = async () => undefined;
  readonly cursors: Row[] = [];
  /** Of each pull, whether a replica might have answered it. */
  readonly late: boolean[] = [];
  /** The columns and policies, as a word. */
  shape = "as it was";
  readonly notes = new Map<string, Note[]>();

  constructor(...rows: Row[]) {
    super();
    for (const row of rows) this.put(row);
    this.answer = (name, parameters) => name === "pull_table" ? this.#pull(parameters) : null;
  }

  override pullTable(name: string, cursor: Row, mayLag: boolean): Promise<unknown> {
    this.late.push(mayLag);
    return super.pullTable(name, cursor, mayLag);
  }

  put(row: Row, owner = String(row["tenant_id"])): void {
    this.#note(owner, { tag: this.tagOf(row), row });
  }

  remove(row: Row, owner = String(row["tenant_id"])): void {
    this.#note(owner, { tag: this.tagOf(row), row: null });
  }

  tagOf(row: Row): string {
    return `tag ${this.key.map((each) => row[each]).join()}`;
  }

  #note(owner: string, note: Note): void {
    this.notes.set(owner, [...(this.notes.get(owner) ?? []), note]);
  }

  async #pull({ cursor }: Row): Promise<unknown> {
    if (!isObject(cursor)) throw new Error("there is no cursor");
    this.cursors.push(structuredClone(cursor));
    if (this.trouble !== null) throw this.trouble;
    const subset = JSON.stringify([this.shape, cursor["where"], cursor["newest"]]);
    const named = cursor["timeline"] === this.tableTimeline ? cursor["owners"] as Row : {};
    const owners: Row[] = [];
    let left = Math.min(this.pageSize, cursor["limit"] as number);
    let more = false;
    for (const [owner_id, all] of this.notes) {
      const before = named[owner_id] as
        | { at: number; subset: string; isFirst: boolean }
        | undefined;
      const isReset = before?.subset !== subset;
      const seen = isReset ? 0 : before?.at ?? 0;
      const notes = all.slice(0, all.length - this.hiddenNotes);
      const isFirst = isReset || (before?.isFirst ?? false);
      // After several pages something may have changed since the first one.
      more ||= isFirst && !isReset;
      if (!isReset && seen >= notes.length) continue;
      if (left === 0) {
        more = true;
        break;
      }
      const page = notes.slice(seen, seen + left);
      left -= page.length;
      const at = seen + page.length;
      const isMore = at < notes.length;
      more ||= isMore;
      // Rows come as they are now.
      const last = new Map(page.map(({ tag }) => [tag, notes.findLast((n) => n.tag === tag)!]));
      const rows = [...last.values()].filter((each) =>
        each.row !== null && this.#fits(each.row, cursor)
      );
      owners.push({
        owner_id,
        reset: isReset,
        rows: rows.map(({ tag, row }) => ({ tag, row })),
        gone: [...last.keys()].filter((tag) => !rows.some((each) => each.tag === tag)),
        cursor: { at, subset, isFirst: isFirst && isMore },
        more: isMore,
        fetched: isFirst && isMore ? at : null,
        about: isReset ? notes.length : null,
      });
    }
    const answer = {
      timeline: this.tableTimeline,
      table: {
        name: NAME,
        owner: this.owner,
        owner_column: "tenant_id",
        key: this.key,
        columns: { id: "integer", tenant_id: "uuid", status: "text", amount: "integer" },
      },
      owners,
      dropped: Object.keys(named).filter((each) => !this.notes.has(each)),
      more,
    };
    const sent = this.bend(structuredClone(answer));
    await this.meanwhile();
    return sent;
  }

  #fits(row: Row, { where }: Row): boolean {
    return Object.entries((where ?? {}) as Row).every(([column, value]) =>
      Array.isArray(value) ? value.includes(row[column]) : row[column] === value
    );
  }
}

export { ME };
