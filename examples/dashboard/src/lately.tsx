import { useEffect, useState } from "react";

import { parley } from "./parley.ts";

/** Says when payments changed last, once everything is here. */
export function Lately() {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const table = parley.table("public.payments");
    let isHere = false;
    const look = async () => {
      const wasHere = isHere;
      isHere ||= (await table.progress()).is_done;
      return wasHere;
    };
    void look();
    return table.subscribe(({ keys, is_fresh }) => {
      const time = new Date().toLocaleTimeString();
      void look().then((isNews) => {
        if (isNews && !is_fresh && keys.length > 0) setSaid(`Payments changed at ${time}`);
      });
    });
  }, []);
  return <p className="lately" aria-live="polite">{said}</p>;
}
