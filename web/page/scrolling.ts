/**
 * The place of a list that grows on both sides: what is read stays where it is.
 *
 * The list is scrolled from its end (`column-reverse` around it), so its end stays in place by itself. Browsers
 * differ in what they do elsewhere, so the page says which message is at the top of the screen, and puts it back there.
 */
import { type RefObject, useLayoutEffect, useRef, useState } from "react";

/** How near to a side a list asks for more. */
const NEAR_PX = 800;
/** How near to its end somebody sees the end. */
const END_PX = 64;

interface Anchor {
  readonly key: string;
  readonly top: number;
}

export interface Scrolling {
  /** The end of the list is on the screen. */
  readonly isAtEnd: boolean;
  readonly onScroll: () => void;
  /** Look whether there is room for more, or somebody is near to a side. */
  readonly look: () => void;
  readonly toEnd: () => void;
  /** Put a message into the middle, or just onto the screen. */
  readonly show: (seq: number, block: "center" | "nearest") => boolean;
}

/** Keep the place in a frame. `content` is what is in it; `hasNewer` tells that its end is not that of the room. */
export function useScrolling(
  frame: RefObject<HTMLElement | null>,
  content: readonly unknown[],
  hasNewer: boolean,
  onOlder: () => void,
  onNewer: () => void,
): Scrolling {
  const anchor = useRef<Anchor | null>(null);
  const isHeld = useRef(true);
  const [isAtEnd, setAtEnd] = useState(true);

  function note(): void {
    if (frame.current === null) return;
    // (From the end, scrollTop is negative.)
    isHeld.current = -frame.current.scrollTop < END_PX && !hasNewer;
    anchor.current = anchorIn(frame.current);
    setAtEnd(isHeld.current);
  }

  function look(): void {
    const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = frame.current ?? {};
    if (scrollHeight - clientHeight + scrollTop < NEAR_PX) onOlder();
    if (-scrollTop < NEAR_PX) onNewer();
  }

  useLayoutEffect(() => {
    const shown = frame.current;
    const before = anchor.current;
    if (shown !== null && before !== null && !isHeld.current) {
      const line = lineOf(shown, `[data-key="${CSS.escape(before.key)}"]`);
      const moved = line === null ? 0 : topIn(shown, line) - before.top;
      if (Math.abs(moved) >= 1) shown.scrollTop += moved;
    }
    note();
  }, content);

  return {
    isAtEnd,
    onScroll: () => {
      note();
      look();
    },
    look,
    toEnd() {
      frame.current?.scrollTo({ top: 0 });
      note();
    },
    show(seq, block) {
      const line = lineOf(frame.current, `[data-seq="${seq}"]`);
      line?.scrollIntoView({ block });
      note();
      return line !== null;
    },
  };
}

function lineOf(frame: HTMLElement | null, selector: string): HTMLElement | null {
  return frame?.querySelector<HTMLElement>(selector) ?? null;
}

function topIn(frame: HTMLElement, line: HTMLElement): number {
  return line.getBoundingClientRect().top - frame.getBoundingClientRect().top;
}

/** The first message that begins on the screen. */
function anchorIn(frame: HTMLElement): Anchor | null {
  const lines = frame.querySelectorAll<HTMLElement>("[data-key]");
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (topIn(frame, lines[middle] as HTMLElement) < 0) low = middle + 1;
    else high = middle;
  }
  const line = lines[low];
  return line === undefined ? null : { key: line.dataset["key"] ?? "", top: topIn(frame, line) };
}
