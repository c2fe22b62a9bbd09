/** Files that were chosen, pasted or dropped, and go with the next message. */
import { type DragEvent, type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { boxOf, bytes, isPicture } from "./files.ts";
import { Icon } from "./icons.tsx";

export interface StagedFile {
  readonly key: string;
  readonly file: File;
  /** Where a picture can be looked at; null for other files. */
  readonly url: string | null;
}

export interface Staged {
  readonly files: readonly StagedFile[];
  readonly add: (files: Iterable<File>) => void;
  readonly remove: (key: string) => void;
  readonly clear: () => void;
}

/** The files of one composer. */
export function useStaged(): Staged {
  const [files, setFiles] = useState<readonly StagedFile[]>([]);
  const add = useCallback((chosen: Iterable<File>) => {
    const more = [...chosen].map((file) => ({
      key: crypto.randomUUID(),
      file,
      url: isPicture(file.type) ? URL.createObjectURL(file) : null,
    }));
    setFiles((before) => [...before, ...more]);
  }, []);

  function letGo(isGone: (file: StagedFile) => boolean): void {
    for (const { url } of files.filter(isGone)) if (url !== null) URL.revokeObjectURL(url);
    setFiles((before) => before.filter((file) => !isGone(file)));
  }

  return {
    files,
    add,
    remove: (key) => letGo((file) => file.key === key),
    clear: () => letGo((file) => files.includes(file)),
  };
}

/** What `attach` is told of a staged file besides its bytes. */
export async function factsOf({ file }: StagedFile): Promise<
  { readonly name: string; readonly width?: number; readonly height?: number }
> {
  return { name: file.name, ...(await boxOf(file)) };
}

/** What is staged, above the field. */
export function Tray({ files, remove }: Pick<Staged, "files" | "remove">): ReactNode {
  if (files.length === 0) return null;
  return (
    <ul className="tray" aria-label="Files to send">
      {files.map(({ key, file, url }) => (
        <li key={key} className={url === null ? undefined : "thumb"}>
          {url === null ? <Icon name="file" /> : <img src={url} alt="" />}
          <span className="file-name">
            <b>{file.name}</b>
            <span className="soft">{bytes(file.size)}</span>
          </span>
          <button
            type="button"
            className="quiet"
            aria-label={`Remove ${file.name}`}
            onClick={() =>
              remove(key)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The button that chooses files. */
export function AttachButton({ onFiles }: { readonly onFiles: Staged["add"] }): ReactNode {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="quiet attach"
        aria-label="Attach files"
        title="Attach files"
        onClick={() => input.current?.click()}
      >
        <Icon name="clip" />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files"
        onChange={({ currentTarget }) => {
          onFiles(currentTarget.files ?? []);
          currentTarget.value = "";
        }}
      />
    </>
  );
}

interface DropZone {
  /** Files are being dragged over it. */
  readonly isOver: boolean;
  readonly on: {
    readonly onDragEnter: (event: DragEvent) => void;
    readonly onDragOver: (event: DragEvent) => void;
    readonly onDragLeave: (event: DragEvent) => void;
    readonly onDrop: (event: DragEvent) => void;
  };
}

/** Let files be dropped on an element. */
export function useDropZone(onFiles: Staged["add"]): DropZone {
  const depth = useRef(0);
  const [isOver, setOver] = useState(false);
  // What is dropped beside it must not replace the page.
  useEffect(() => {
    const refuse = (event: globalThis.DragEvent) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    };
    addEventListener("dragover", refuse);
    addEventListener("drop", refuse);
    return () => {
      removeEventListener("dragover", refuse);
      removeEventListener("drop", refuse);
    };
  }, []);

  const hasFiles = (event: DragEvent) => event.dataTransfer.types.includes("Files");
  function move(by: number): void {
    depth.current += by;
    setOver(depth.current > 0);
  }
  return {
    isOver,
    on: {
      onDragEnter: (event) => hasFiles(event) && move(1),
      onDragOver: (event) => hasFiles(event) && event.preventDefault(),
      onDragLeave: (event) => hasFiles(event) && move(-1),
      onDrop: (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        move(-depth.current);
        onFiles(event.dataTransfer.files);
      },
    },
  };
}
