import type { ReactNode } from "react";
import { lazily } from "./lazily.tsx";
import { Notice } from "./notice.tsx";
import { useShown } from "./shown.ts";

const About = lazily(async () => (await import("./about.tsx")).About);
const AddPeople = lazily(async () => (await import("./adding.tsx")).AddPeople);
const EditRoom = lazily(async () => (await import("./editing.tsx")).EditRoom);
const Notices = lazily(async () => (await import("./notices.tsx")).Notices);
const Person = lazily(async () => (await import("./person.tsx")).Person);
const Preferences = lazily(async () => (await import("./preferences.tsx")).Preferences);
const ReportMessage = lazily(async () => (await import("./report.tsx")).ReportMessage);
const Reports = lazily(async () => (await import("./reports.tsx")).Reports);

interface BesideProps {
  /** The room that is open. */
  readonly room_id: string | null;
  readonly onSignOut: () => Promise<void>;
}

/** The panel and the dialog that somebody asked for; each is fetched when it is needed first. */
export function Beside({ room_id, onSignOut }: BesideProps): ReactNode {
  const { panel, asked, toggle, ask } = useShown();
  const close = () => ask(null);
  return (
    <>
      {panel === "about" && room_id !== null && (
        <About
          key={room_id}
          room_id={room_id}
          onClose={() => toggle("about")}
        />
      )}
      {panel === "notices" && <Notices onClose={() => toggle("notices")} />}
      {panel === "reports" && <Reports onClose={() => toggle("reports")} />}
      {asked?.kind === "person" && (
        <Person user_id={asked.user_id} room_id={asked.room_id} onClose={close} />
      )}
      {asked?.kind === "report" && <ReportMessage message={asked.message} onClose={close} />}
      {asked?.kind === "add" && <AddPeople room_id={asked.room_id} onClose={close} />}
      {asked?.kind === "edit" && <EditRoom room_id={asked.room_id} onClose={close} />}
      {asked?.kind === "preferences" && <Preferences onClose={close} onSignOut={onSignOut} />}
      {panel === null && <Notice />}
    </>
  );
}
