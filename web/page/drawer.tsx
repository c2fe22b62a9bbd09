import { type KeyboardEvent, type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { Icon } from "./icons.tsx";
import { Notice } from "./notice.tsx";

/** Below this width a drawer covers the page. */
const NARROW = "(max-width: 70rem)";

interface DrawerProps {
  readonly title: string;
  readonly className?: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/**
 * Something beside the room, or on a narrow screen before it.
 *
 * The browser gives the focus back when it closes. Where it covers the page, the focus stays inside.
 */
export function Drawer({ title, className = "", onClose, children }: DrawerProps): ReactNode {
  const drawer = useRef<HTMLDialogElement>(null);
  const id = useId();

  useLayoutEffect(() => {
    const narrow = matchMedia(NARROW);
    const shown = drawer.current;
    const show = () => {
      shown?.close();
      if (narrow.matches) shown?.showModal();
      else shown?.show();
    };
    show();
    narrow.addEventListener("change", show);
    return () => {
      narrow.removeEventListener("change", show);
      shown?.close();
    };
  }, []);

  function press(event: KeyboardEvent): void {
    const isOurs = (event.target as Element).closest("dialog") === event.currentTarget;
    if (event.key !== "Escape" || event.defaultPrevented || !isOurs) return;
    event.preventDefault();
    onClose();
  }

  return (
    <dialog
      ref={drawer}
      className={`drawer ${className}`}
      aria-labelledby={id}
      onKeyDown={press}
      onCancel={(event) => {
        event.preventDefault();
        if (event.target === event.currentTarget) onClose();
      }}
      onClick={(event) => event.target === event.currentTarget && onClose()}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" className="quiet" aria-label="Close the panel" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="drawer-body">{children}</div>
      <Notice />
    </dialog>
  );
}
