import { type ReactNode, useState } from "react";
import type { Message } from "../src/index.ts";
import type { NameOf } from "./people.ts";
import { said } from "./said.ts";

interface FoldedProps {
  readonly message: Message;
  readonly nameOf: NameOf;
}

/** A message of somebody who is blocked: a line, and what it says for whoever asks. */
export function Folded({ message, nameOf }: FoldedProps): ReactNode {
  const [isUnfolded, setUnfolded] = useState(false);
  return (
    <p className="body gone">
      {isUnfolded ? said({ ...message, is_folded: false }, nameOf) : said(message, nameOf)}{" "}
      <button
        type="button"
        className="fold"
        aria-expanded={isUnfolded}
        onClick={() => setUnfolded(!isUnfolded)}
      >
        {isUnfolded ? "Hide it" : "Show it"}
      </button>
    </p>
  );
}
