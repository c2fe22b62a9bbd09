import { type ReactNode, useCallback, useEffect, useState } from "react";
import type { ReportsRow } from "../src/api.ts";
import { useAttempt } from "./attempt.ts";
import { type Duties, useDuties, useDutiesRefresh } from "./duties.ts";
import { Icon } from "./icons.tsx";
import { Drawer } from "./drawer.tsx";
import { ReportCard } from "./report_card.tsx";
import { useClient } from "./page.ts";

const PAGE = 50;

/** The moderator's queue: what people reported, open reports first. */
export function Reports({ onClose }: { readonly onClose: () => void }): ReactNode {
  const duties = useDuties();
  const [isOpen, setOpen] = useState(true);
  const { reports, isLoading, refusal, read } = useReports(duties);
  const shown = reports.filter((each) => (each.resolved_at === null) === isOpen);

  return (
    <Drawer title="Reports" className="wide" onClose={onClose}>
      <div className="tabs" role="group" aria-label="Which reports">
        <button type="button" aria-pressed={isOpen} onClick={() => setOpen(true)}>Open</button>
        <button type="button" aria-pressed={!isOpen} onClick={() => setOpen(false)}>Closed</button>
      </div>
      <p className="refusal" role="alert">{refusal}</p>
      <ul className="reports" aria-busy={isLoading}>
        {shown.map((each) => (
          <li key={each.report_id}>
            <ReportCard
              report={each}
              isAdmin={duties.administered.includes(each.tenant_id)}
              onChange={read}
            />
          </li>
        ))}
      </ul>
      {!isLoading && shown.length === 0 && (
        <div className="empty">
          <Icon name="shield" />
          <p>{isOpen ? "No report is open." : "No report was closed yet."}</p>
          <p className="soft">What people report in rooms that you look after comes here.</p>
        </div>
      )}
    </Drawer>
  );
}

interface Found {
  readonly reports: readonly ReportsRow[];
  readonly isLoading: boolean;
  readonly refusal: string;
  readonly read: () => Promise<void>;
}

/** The reports of all tenants of this person, read anew when the number of open ones changes. */
function useReports({ tenants, open }: Duties): Found {
  const { call } = useClient();
  const refresh = useDutiesRefresh();
  const { refusal, isBusy, attempt } = useAttempt();
  const [reports, setReports] = useState<readonly ReportsRow[]>([]);
  const read = useCallback(async () => {
    await attempt(async () => {
      const pages = tenants.map((tenant_id) =>
        call("list_reports", { tenant_id, page_size: PAGE })
      );
      setReports((await Promise.all(pages)).flat());
    });
  }, [attempt, call, tenants]);
  useEffect(() => void read(), [read, open]);
  const readAll = useCallback(async () => {
    await Promise.all([read(), refresh()]);
  }, [read, refresh]);
  return { reports, isLoading: isBusy, refusal, read: readAll };
}
