/** The icons, drawn in the colour of the text around them. What they mean is said beside them. */
import type { ReactNode } from "react";
import { usePicture } from "./pictures.ts";

const PATHS = {
  alert: "M12 8v5m0 3v.1M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  back: "m15 5-7 7 7 7",
  ban: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM5.7 5.7l12.6 12.6",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zm4 5h4",
  bell_off: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zm4 5h4M4 4l16 16",
  block: "M10 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM3 20c0-4 3-6 7-6 1 0 2 .1 3 .5M16 16l5 5m0-5-5 5",
  box: "M4 5h16v4H4zM5.5 9v10h13V9M10 13h4",
  broom: "m14 10 6-6M9 9l6 6-5 5c-3 0-5-2-6-5zM7 15l2 2",
  clip: "m8 12 6-6a3.5 3.5 0 0 1 5 5l-8 8a5 5 0 0 1-7-7l8-8",
  clock: "M12 7v5l3 2M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  close: "m6 6 12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  crown: "M4 18h16M4 15 3 7l5 4 4-6 4 6 5-4-1 8z",
  down: "M12 5v14m-6-6 6 6 6-6",
  file: "M7 3h7l5 5v13H7zM14 3v5h5",
  flag: "M6 21V4c4-2 7 2 12 0v9c-5 2-8-2-12 0",
  gear: "M4 7h9m4 0h3M4 17h3m4 0h9M15 5v4m-6 6v4",
  info: "M12 11v6m0-9.5v.1M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z",
  leave: "M14 4H5v16h9M10 12h11m-4-4 4 4-4 4",
  mute: "M4 9h4l5-4v14l-5-4H4zM17 9.5l5 5m0-5-5 5",
  pencil: "m4 20 1-4L16 5l3 3L8 19zM14 7l3 3",
  person: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4 20c0-4 3-6 8-6s8 2 8 6",
  picture: "M4 5h16v14H4zm0 11 5-5 5 5m-1-2 3-3 4 4M14.5 8.5v.1",
  pin: "M9 3h6l-1 6 4 4H6l4-4zm3 10v8",
  plus: "M12 5v14M5 12h14",
  quiet: "M6 16V11a6 6 0 0 1 10-4.500M18 11v5l1.500 2H8M4 4l16 16",
  reply: "m10 6-6 6 6 6m-6-6h10a6 6 0 0 1 6 6v1",
  save: "M12 4v11m-5-4 5 5 5-5M5 20h14",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm5 12 4 4",
  send: "m5 12 15-8-5 17-3-8z",
  shield: "M12 3 5 6v5c0 5 3 8 7 10 4-2 7-5 7-10V6z",
  smile: "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18zM8.5 14.5c2 2.5 5 2.5 7 0M9 9.5v.1m6-.1v.1",
  stream: "M3 12h4l3-7 4 14 3-7h4",
  thread: "M4 5h16v11H10l-4 4v-4H4z",
  tick: "m5 13 4 4L19 7",
  ticks: "m2 13 4 4L16 7m-4 10 .5.5L22 7",
  trash: "M5 7h14m-9-3h4M7 7l1 13h8l1-13",
  voice: "M4 9h4l5-4v14l-5-4H4zM17 9c1.5 2 1.5 4 0 6m2.500-8.500c3 3.500 3 7.500 0 11",
} as const;

export type IconName = keyof typeof PATHS;

/** One of them. */
export function Icon({ name }: { readonly name: IconName }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Somebody's picture, or the first letter of a name on a colour that goes with the id. */
export function Avatar({ id, name }: { readonly id: string; readonly name: string }): ReactNode {
  const picture = usePicture(id);
  const sum = [...id].reduce((all, letter) => (all * 33 + letter.charCodeAt(0)) % 65_521, 7);
  const [first = "?"] = [...name.trim()];
  if (picture !== null) return <img className="avatar" src={picture} alt="" />;
  return <span className={`avatar hue-${sum % 8}`} aria-hidden="true">{first.toUpperCase()}</span>;
}
