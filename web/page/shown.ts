/** What stands beside the room or before it: one panel, one dialog, and a line about what was done last. */
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { Message } from "../src/index.ts";

export type PanelName = "stream" | "about" | "notices" | "reports";

/** Something to be answered or looked at first. */
export type Asked =
  /** Somebody, as met in a room or elsewhere. */
  | { readonly kind: "person"; readonly user_id: string; readonly room_id: string | null }
  /** A message that somebody else wrote. */
  | { readonly kind: "report"; readonly message: Message }
  | { readonly kind: "add"; readonly room_id: string }
  | { readonly kind: "edit"; readonly room_id: string }
  | { readonly kind: "preferences" };

export interface Shown {
  readonly panel: PanelName | null;
  readonly asked: Asked | null;
  /** What was done, for a screen reader and a few seconds on the screen. */
  readonly notice: string;
  /** Open a panel, or close the one that is open. */
  readonly toggle: (panel: PanelName) => void;
  readonly close: () => void;
  readonly ask: (asked: Asked | null) => void;
  readonly tell: (notice: string) => void;
}

export const ShownContext = createContext<Shown | null>(null);

/** What is shown, and how to change it. */
export function useShown(): Shown {
  return useContext(ShownContext) as Shown;
}

/** The state behind `useShown`. */
export function useShownState(): Shown {
  const [panel, setPanel] = useState<PanelName | null>(null);
  const [asked, ask] = useState<Asked | null>(null);
  const [notice, tell] = useState("");
  const close = useCallback(() => setPanel(null), []);
  return useMemo(() => ({
    panel,
    asked,
    notice,
    toggle: (name) => setPanel((open) => open === name ? null : name),
    close,
    ask,
    tell,
  }), [panel, asked, notice, close]);
}

/** Let one thing stand beside a room at a time: its own panel, or one of these; the newer stays. */
export function useOneBeside(isShown: boolean, onClose: () => void): void {
  const { panel, close } = useShown();
  useEffect(() => {
    if (isShown) close();
  }, [isShown, close]);
  useEffect(() => {
    if (panel !== null) onClose();
  }, [panel, onClose]);
}
