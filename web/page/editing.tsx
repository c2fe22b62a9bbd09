import { type FormEvent, type ReactNode, useState } from "react";
import { useRoom } from "../react/index.ts";
import { useAttempt } from "./attempt.ts";
import { Dialog } from "./dialog.tsx";
import { useShown } from "./shown.ts";
import { useClient } from "./page.ts";

interface EditRoomProps {
  readonly room_id: string;
  readonly onClose: () => void;
}

const SLOW = [0, 10, 30, 60, 300, 3600];
const KEEP = [0, 7, 30, 90, 365];

/** Change what a room is called and how it behaves. */
export function EditRoom({ room_id, onClose }: EditRoomProps): ReactNode {
  const { room } = useRoom(room_id);
  const { call } = useClient();
  const { tell } = useShown();
  const { refusal, isBusy, attempt } = useAttempt();
  const [row] = useState(room?.row ?? null);
  if (row === null) return null;

  async function save(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name));
    const isDone = await attempt(() =>
      call("update_room", {
        room_id,
        name: text("name").trim(),
        topic: text("topic").trim(),
        slow_mode_seconds: Number(text("slow")),
        retain_days: Number(text("keep")),
        history: text("history") === "all" ? "all" : "since_join",
        default_role: text("role") === "reader" ? "reader" : "member",
      })
    );
    if (!isDone) return;
    tell("The room was changed.");
    onClose();
  }

  return (
    <Dialog title="Edit the room" onClose={onClose}>
      <form onSubmit={save}>
        <label>
          Name
          <input name="name" defaultValue={row.name ?? ""} maxLength={120} required />
        </label>
        <label>
          Topic
          <textarea name="topic" defaultValue={row.topic} maxLength={500} rows={3} />
        </label>
        <label className="line">
          <span>Slow mode</span>
          <select name="slow" defaultValue={row.slow_mode_seconds}>
            {withOwn(SLOW, row.slow_mode_seconds).map((seconds) => (
              <option key={seconds} value={seconds}>{slowName(seconds)}</option>
            ))}
          </select>
        </label>
        <label className="line">
          <span>Messages are kept</span>
          <select name="keep" defaultValue={row.retain_days ?? 0}>
            {withOwn(KEEP, row.retain_days ?? 0).map((days) => (
              <option key={days} value={days}>
                {days === 0 ? "As usual here" : `${days} days`}
              </option>
            ))}
          </select>
        </label>
        <label className="line">
          <span>New people read</span>
          <select name="history" defaultValue={row.history}>
            <option value="all">All messages</option>
            <option value="since_join">From when they come</option>
          </select>
        </label>
        <label className="line">
          <span>People who join</span>
          <select name="role" defaultValue={row.default_role}>
            <option value="member">Read and write</option>
            <option value="reader">Only read</option>
          </select>
        </label>
        <p className="refusal" role="alert">{refusal}</p>
        <div className="answers">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" className="primary" disabled={isBusy}>Save</button>
        </div>
      </form>
    </Dialog>
  );
}

/** The choices, and what is set now if that is another one. */
function withOwn(choices: readonly number[], own: number): readonly number[] {
  return choices.includes(own) ? choices : [...choices, own].sort((a, b) => a - b);
}

function slowName(seconds: number): string {
  if (seconds === 0) return "Off";
  if (seconds % 3600 === 0) return `A message in ${counted(seconds / 3600, "hour")}`;
  if (seconds % 60 === 0) return `A message in ${counted(seconds / 60, "minute")}`;
  return `A message in ${counted(seconds, "second")}`;
}

function counted(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}
