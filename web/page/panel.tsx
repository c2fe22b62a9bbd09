import { type ReactNode, useEffect, useRef, useState } from "react";
import { Icon } from "./icons.tsx";

interface PanelProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** Something beside a room. Escape closes it, and the focus goes back to where it was. */
export function Panel({ title, onClose, children }: PanelProps): ReactNode {
  const panel = useRef<HTMLElement>(null);
  // (What is in the panel may take the focus before its own effect runs.)
  const [before] = useState(() => document.activeElement);
  useEffect(() => {
    // What is written in keeps the keys that it was given.
    if (matchMedia("(hover: hover)").matches) {
      const shown = panel.current;
      const first = shown?.querySelector<HTMLElement>("textarea") ?? shown?.querySelector("button");
      first?.focus();
    }
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside
      ref={panel}
      className="panel"
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        onClose();
      }}
    >
      <header>
        <h2>{title}</h2>
        <button
          type="button"
          className="quiet"
          aria-label={`Close ${title.toLowerCase()}`}
          onClick={onClose}
        >
          <Icon name="close" />
        </button>
      </header>
      {children}
    </aside>
  );
}
