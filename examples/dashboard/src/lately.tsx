import { useEffect, useState } from "react";

import { parley } from "./parley.ts";

/** Says when there was news of payments. What one statement changed may come in several pages. */
export function Lately() {
  const [at, setAt] = useState("");
  useEffect(() => {
    const table = parley.table("public.payments");
    return table.subscribe(() => setAt(new Date().toLocaleTimeString()));
  }, []);
  return <p className="lately" aria-live="polite">{at && `Last news of payments at ${at}`}</p>;
}
