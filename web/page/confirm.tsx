import type { ReactNode } from "react";
import { useAttempt } from "./attempt.ts";
import { Dialog } from "./dialog.tsx";

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  /** What the button says. */
  readonly yes: string;
  readonly onYes: () => Promise<unknown>;
  readonly onClose: () => void;
}

/** Asks before something that cannot be taken back easily, and says why it did not work. */
export function Confirm({ title, text, yes, onYes, onClose }: ConfirmProps): ReactNode {
  const { refusal, isBusy, attempt } = useAttempt();
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <p className="refusal" role="alert">{refusal}</p>
      <div className="answers">
        <button type="button" onClick={onClose}>Cancel</button>
        <button
          type="button"
          className="primary danger"
          disabled={isBusy}
          onClick={async () => await attempt(onYes) && onClose()}
        >
          {yes}
        </button>
      </div>
    </Dialog>
  );
}
