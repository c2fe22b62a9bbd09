/** Notifications of this device: the button, and what is done at the start and before signing out. */
import { type ReactNode, useEffect, useState } from "react";
import { type Parley, ParleyError } from "../src/index.ts";
import {
  clearRead,
  disablePush,
  enablePush,
  type PushOptions,
  type PushState,
  pushState,
  renewPush,
} from "../push/index.ts";
import { Icon } from "./icons.tsx";
import { type Page, useClient, useMe, usePage } from "./page.ts";
import { go } from "./place.ts";

/** How this page is told to the browser and the server; null where the server has no keys. */
async function optionsOf(
  { supabase, vapid_key }: Page,
  parley: Parley,
): Promise<PushOptions | null> {
  if (vapid_key === null) return null;
  const device_id = await parley.deviceId();
  return { supabase, worker: `/sw.js${location.search}`, vapid_key, device_id };
}

/** End it before signing out, so that nothing rings for who has left. */
export async function endPush(page: Page, parley: Parley): Promise<void> {
  const options = await optionsOf(page, parley);
  if (options !== null) await disablePush(options);
}

/** The switch; nothing where there is no Web Push. */
export function PushButton(): ReactNode {
  const page = usePage();
  const parley = useClient();
  const me = useMe();
  const [state, setState] = useState<PushState>("unsupported");
  const [refusal, setRefusal] = useState("");
  const isOn = state === "on";

  useEffect(() => {
    if (page.vapid_key === null) return;
    void pushState().then(setState);
    void optionsOf(page, parley).then((options) => options && renewPush(options)).catch(refuse);
    const listen = ({ data }: MessageEvent<{ type?: string; room_id?: string }>) => {
      if (data.type === "open_room") go(data.room_id ?? null);
    };
    navigator.serviceWorker?.addEventListener("message", listen);
    const stop = clearRead(parley);
    return () => {
      navigator.serviceWorker?.removeEventListener("message", listen);
      stop();
    };
  }, [page, parley, me]);

  function refuse(error: unknown): void {
    if (!(error instanceof ParleyError)) throw error;
    setRefusal(`${error.detail} ${error.hint}`);
  }

  async function turn(): Promise<void> {
    const options = await optionsOf(page, parley);
    if (options === null) return;
    setRefusal("");
    await (isOn ? disablePush(options) : enablePush(options)).catch(refuse);
    setState(await pushState());
  }

  if (state === "unsupported") return null;
  const name = isOn ? "Notifications are on" : "Turn on notifications";
  return (
    <>
      <button
        type="button"
        className="quiet"
        aria-label="Notifications of this device"
        title={name}
        aria-pressed={isOn}
        onClick={turn}
      >
        <Icon name={isOn ? "bell" : "bell_off"} />
      </button>
      {refusal !== "" && <p className="push-refusal refusal" role="alert">{refusal}</p>}
    </>
  );
}
