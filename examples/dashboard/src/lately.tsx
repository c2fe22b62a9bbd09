import { useEffect, useState } from "react";

import { parley } from "./parley.ts";

/** Says what changed last, once everything is here, and how many rows came with it. */
export function Lately() {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const table = parley.table("public.payments");
    let wasDone = false;
    const look = async () => {
      const before = wasDone;
      wasDone = (await table.progress()).is_done;
      return before;
    };
    void look();
    return table.subscribe(({ keys, is_fresh }) => {
      const time = new Date().toLocaleTimeString();
      void look().then((isNews) => {
        if (isNews && !is_fresh) setSaid(`${keys.length} payments changed at ${time}`);
      });
    });
  }, []);
  return <p className="lately" aria-live="polite">{said}</p>;
}
