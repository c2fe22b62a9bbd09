import { type ReactNode, useEffect, useState } from "react";
import { useRooms } from "../react/index.ts";
import type { ProfilesRow, ReportsRow } from "../src/api.ts";
import { useAttempt } from "./attempt.ts";
import { Confirm } from "./confirm.tsx";
import { moment } from "./durations.ts";
import { Avatar, Icon } from "./icons.tsx";
import { useClient, useMe, usePage } from "./page.ts";
import { type NameOf, titleOf, useNames } from "./people.ts";
import { addressOf } from "./place.ts";
import { CloseReport } from "./report_close.tsx";
import { useShown } from "./shown.ts";

interface ReportCardProps {
  readonly report: ReportsRow;
  /** They administer its tenant. */
  readonly isAdmin: boolean;
  readonly onChange: () => Promise<void>;
}

type Step = "delete" | "ban" | "close";

/** One report: who said what, who found it wrong and why, and what can be done. */
export function ReportCard({ report, isAdmin, onChange }: ReportCardProps): ReactNode {
  const { tenant_id, report_id, room_id, message_seq, resolved_at } = report;
  const { call } = useClient();
  const me = useMe();
  const { tell, ask } = useShown();
  const { refusal, isBusy, attempt } = useAttempt();
  const [step, setStep] = useState<Step | null>(null);
  const { rooms } = useRooms();
  const nameOf = useNamesWith([report.user_id, report.reporter_id]);
  const room = rooms.find((each) => each.id === room_id) ?? null;
  const name = nameOf(report.user_id);

  async function take(): Promise<void> {
    await call("take_report", { tenant_id, report_id });
    await onChange();
  }

  async function remove(): Promise<void> {
    if (room_id === null || message_seq === null) return;
    await call("delete_message", { room_id, seq: message_seq });
    tell("The message was deleted.");
  }

  async function ban(): Promise<void> {
    await call("ban_tenant_member", { tenant_id, user_id: report.user_id });
    tell(`${name} was banned from here.`);
  }

  return (
    <article className="report" aria-label={`Report about ${name}`}>
      <header>
        <Avatar id={report.user_id} name={name} />
        <span className="who">
          <span>{name}</span>
          <span className="soft">
            {room === null
              ? (room_id === null ? "The person" : "A room that you are not in")
              : <>In {titleOf(room, nameOf)}</>}
          </span>
        </span>
        <Standing report={report} isMine={report.taken_by === me} nameOf={nameOf} />
      </header>
      {report.body !== null && <blockquote className="quoted">{report.body || "A file"}
      </blockquote>}
      <p>{report.reason}</p>
      <p className="soft">
        Reported by {nameOf(report.reporter_id)}, {moment(report.created_at)}
      </p>
      {resolved_at !== null && (
        <p className="resolution">
          <Icon name="tick" /> {report.resolution}
          <span className="soft">
            {report.resolved_by !== null && nameOf(report.resolved_by)}, {moment(resolved_at)}
          </span>
        </p>
      )}
      {resolved_at === null && (
        <div className="together">
          {report.taken_by === null && (
            <button
              type="button"
              disabled={isBusy}
              onClick={() => attempt(take)}
            >
              I look at it
            </button>
          )}
          {room !== null && message_seq !== null && (
            <>
              <a className="button" href={addressOf(room.id, message_seq)}>See it in the room</a>
              <button type="button" onClick={() => setStep("delete")}>Delete the message</button>
            </>
          )}
          <button
            type="button"
            onClick={() => ask({ kind: "person", user_id: report.user_id, room_id })}
          >
            About {name}
          </button>
          {isAdmin && (
            <button type="button" className="dangerous" onClick={() => setStep("ban")}>
              Ban from everything here
            </button>
          )}
          <button type="button" className="primary" onClick={() => setStep("close")}>Close…</button>
        </div>
      )}
      <p className="refusal" role="alert">{refusal}</p>
      {step === "delete" && (
        <Confirm
          title="Delete the message?"
          text="It disappears for everybody in the room. The report keeps what it said."
          yes="Delete"
          onYes={remove}
          onClose={() => setStep(null)}
        />
      )}
      {step === "ban" && (
        <Confirm
          title={`Ban ${name} from everything here?`}
          text={`${name} is removed from all rooms, and nobody can let them in again.`}
          yes="Ban"
          onYes={ban}
          onClose={() => setStep(null)}
        />
      )}
      {step === "close" && (
        <CloseReport
          report={report}
          reporter={nameOf(report.reporter_id)}
          onChange={onChange}
          onClose={() => setStep(null)}
        />
      )}
    </article>
  );
}

interface StandingProps {
  readonly report: ReportsRow;
  readonly isMine: boolean;
  readonly nameOf: NameOf;
}

function Standing({ report, isMine, nameOf }: StandingProps): ReactNode {
  if (report.resolved_at !== null) return <span className="tag">Closed</span>;
  if (report.taken_by === null) return <span className="tag warn">New</span>;
  return <span className="tag">{isMine ? "You look" : `${nameOf(report.taken_by)} looks`}</span>;
}

/** Names, also of people whom the copy does not know. */
function useNamesWith(ids: readonly string[]): NameOf {
  const { supabase } = usePage();
  const nameOf = useNames();
  const [found, setFound] = useState<ReadonlyMap<string, string>>(new Map());
  const unknown = ids.filter((id) => nameOf(id) === "Somebody").join();
  useEffect(() => {
    if (unknown === "") return;
    void supabase.schema("chat").rpc("list_profiles", { user_ids: unknown.split(",") })
      .then(({ data }) => {
        const rows = (data ?? []) as ProfilesRow[];
        setFound(new Map(rows.map((each) => [each.user_id, each.display_name])));
      });
  }, [supabase, unknown]);
  return (id) => found.get(id) ?? nameOf(id);
}
