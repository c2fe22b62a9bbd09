import { type FormEvent, type ReactNode, useState } from "react";
import type { ReportsRow } from "../src/api.ts";
import { useAttempt } from "./attempt.ts";
import { Dialog } from "./dialog.tsx";
import { useShown } from "./shown.ts";
import { useClient } from "./page.ts";

interface CloseReportProps {
  readonly report: ReportsRow;
  /** Who reads what was done. */
  readonly reporter: string;
  readonly onChange: () => Promise<void>;
  readonly onClose: () => void;
}

const USUAL = ["We deleted the message.", "We talked to them.", "We saw no reason to act."];

/** Say what was done, and close a report. */
export function CloseReport(props: CloseReportProps): ReactNode {
  const { report, reporter, onChange, onClose } = props;
  const { call } = useClient();
  const { tell } = useShown();
  const { refusal, isBusy, attempt } = useAttempt();
  const [resolution, setResolution] = useState("");
  const { tenant_id, report_id } = report;

  async function close(event: FormEvent): Promise<void> {
    event.preventDefault();
    const isDone = await attempt(() =>
      call("resolve_report", { tenant_id, report_id, resolution: resolution.trim() })
    );
    if (!isDone) return;
    tell(`The report is closed, and ${reporter} was told.`);
    onClose();
    await onChange();
  }

  return (
    <Dialog title="Close the report" onClose={onClose}>
      <form onSubmit={close}>
        <div className="together">
          {USUAL.map((each) => (
            <button key={each} type="button" onClick={() => setResolution(each)}>{each}</button>
          ))}
        </div>
        <label>
          What was done? {reporter} reads it.
          <input
            value={resolution}
            maxLength={500}
            required
            onChange={(event) => setResolution(event.target.value)}
          />
        </label>
        <p className="refusal" role="alert">{refusal}</p>
        <div className="answers">
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" className="primary" disabled={isBusy}>Close the report</button>
        </div>
      </form>
    </Dialog>
  );
}
