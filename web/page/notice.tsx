import { type ReactNode, useEffect } from "react";
import { useShown } from "./shown.ts";

const SHOWN_MS = 5000;

/** What was done last: on the screen for a few seconds, and said by a screen reader. */
export function Notice(): ReactNode {
  const { notice, tell } = useShown();
  useEffect(() => {
    if (notice === "") return;
    const timer = setTimeout(() => tell(""), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice, tell]);
  return <p className="notice" role="status">{notice}</p>;
}
