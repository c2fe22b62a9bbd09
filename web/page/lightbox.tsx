import { type ReactNode, useLayoutEffect, useRef } from "react";
import { save, type SharedFile } from "./files.ts";
import { Icon } from "./icons.tsx";

interface LightboxProps {
  readonly file: SharedFile;
  readonly url: string;
  readonly onClose: () => void;
}

/** A picture as large as the window. */
export function Lightbox({ file, url, onClose }: LightboxProps): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  // (Before it leaves the page, so that the focus goes back to where it came from.)
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="lightbox"
      aria-label={file.name}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target instanceof HTMLButtonElement || onClose()}
    >
      <header>
        <b>{file.name}</b>
        <button
          type="button"
          className="quiet"
          aria-label={`Save ${file.name}`}
          onClick={(event) => {
            event.stopPropagation();
            save(url, file.name);
          }}
        >
          <Icon name="save" />
        </button>
        <button type="button" className="quiet" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <img src={url} alt={file.name} />
    </dialog>
  );
}
