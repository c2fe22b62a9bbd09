import { useEffect, useState } from "react";

import { parley } from "./parley.ts";

/** Says how many payments changed since everything is here, and when the last ones did. */
export function Lately() {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const table = parley.table("public.payments");
    let isHere = false;
    // (What one statement changed may come in several pages.)
    let count = 0;
    const look = async () => {
      const wasHere = isHere;
      isHere ||= (await table.progress()).is_done;
      return wasHere;
    };
    void look();
    return table.subscribe(({ keys, is_fresh }) => {
      const time = new Date().toLocaleTimeString();
      // The rest of what is fetched anew comes in pages that are not marked as fresh.
      if (is_fresh) isHere = false;
      void look().then((isNews) => {
        if (!isNews || keys.length === 0) return;
        count += keys.length;
        setSaid(`${count} payments changed, the last at ${time}`);
      });
    });
  }, []);
  return <p className="lately" aria-live="polite">{said}</p>;
}
