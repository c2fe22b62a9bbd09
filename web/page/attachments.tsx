import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Json, Message } from "../src/index.ts";
import { bytes, fileOf, isPicture, save, type SharedFile, shareOf, useFile } from "./files.ts";
import { Icon } from "./icons.tsx";
import { lazily } from "./lazily.tsx";
import { usePage } from "./page.ts";
import { useUpload } from "./uploads.ts";

const Lightbox = lazily(async () => (await import("./lightbox.tsx")).Lightbox);

/** The most that a picture takes of a conversation, in pixels. */
const MOST_WIDE = 340;
const MOST_HIGH = 300;
const UNKNOWN_BOX = { width: 240, height: 180 };
/** How near to the screen a picture is fetched. */
const NEAR = "400px";

/** What a message carries besides its text: pictures to look at, files to save. */
export function Attachments({ message }: { readonly message: Message }): ReactNode {
  const upload = useUpload(message.client_id);
  if (message.attachments.length === 0) return null;
  const isPending = message.state === "pending" && message.seq === null;
  return (
    <div className="attachments">
      {message.attachments.map((each, at) => (
        <Attachment key={at} attachment={each} isOnItsWay={message.seq === null} />
      ))}
      {isPending && <Sending share={shareOf(upload)} />}
    </div>
  );
}

function Sending({ share }: { readonly share: number | null }): ReactNode {
  return (
    <progress
      className="sending"
      aria-label="Sending the file"
      max={1}
      value={share === null || share === 0 ? undefined : share}
    />
  );
}

interface AttachmentProps {
  readonly attachment: Json;
  readonly isOnItsWay: boolean;
}

function Attachment({ attachment, isOnItsWay }: AttachmentProps): ReactNode {
  const file = fileOf(attachment);
  if (file === null) {
    return (
      <p className="file-row soft">
        <Icon name="file" /> Something that this page cannot show
      </p>
    );
  }
  return isPicture(file.mime_type)
    ? <Picture file={file} isOnItsWay={isOnItsWay} />
    : <FileRow file={file} isOnItsWay={isOnItsWay} />;
}

interface FileProps {
  readonly file: SharedFile;
  readonly isOnItsWay: boolean;
}

function Picture({ file, isOnItsWay }: FileProps): ReactNode {
  const frame = useRef<HTMLDivElement>(null);
  const isNear = useNear(frame);
  const { url, isMissing, again } = useFile(file.path, isNear, isOnItsWay);
  const [isOpen, setOpen] = useState(false);
  const { width, height } = file.box ?? UNKNOWN_BOX;
  const scale = Math.min(1, MOST_WIDE / width, MOST_HIGH / height);
  // The place is there before the picture, so nothing moves when it comes.
  const place = {
    width: `${Math.max(Math.round(width * scale), 96)}px`,
    aspectRatio: `${width} / ${height}`,
  };
  return (
    <div className="picture" ref={frame} style={place}>
      {url !== null && (
        <button
          type="button"
          aria-label={`Open ${file.name}`}
          onClick={() => setOpen(true)}
        >
          <img src={url} alt={file.name} className={file.box === null ? "whole" : undefined} />
        </button>
      )}
      {url === null && (
        <div className="instead">
          <Icon name="picture" />
          {isMissing
            ? <button type="button" onClick={again}>Try again</button>
            : <span className="unseen">{file.name}</span>}
        </div>
      )}
      {isOpen && url !== null && <Lightbox file={file} url={url} onClose={() => setOpen(false)} />}
    </div>
  );
}

function FileRow({ file, isOnItsWay }: FileProps): ReactNode {
  const { files } = usePage();
  const [isMissing, setMissing] = useState(false);

  function download(): void {
    files.url(file.path).then(
      (url) => {
        setMissing(false);
        save(url, file.name);
      },
      () => setMissing(true),
    );
  }

  return (
    <div className="file-row">
      <span className="file-kind" aria-hidden="true">{ending(file.name)}</span>
      <span className="file-name">
        <b>{file.name}</b>
        <span className="soft" role={isMissing ? "alert" : undefined}>
          {isMissing ? "It could not be fetched." : file.size === null ? "File" : bytes(file.size)}
        </span>
      </span>
      {!isOnItsWay && (
        <button
          type="button"
          className="quiet"
          aria-label={`Save ${file.name}`}
          title="Save"
          onClick={download}
        >
          <Icon name="save" />
        </button>
      )}
    </div>
  );
}

/** The letters behind the last point of a name, such as PDF. */
function ending(name: string): string {
  return /\.([A-Za-z0-9]{1,4})$/.exec(name)?.[1]?.toUpperCase() ?? "FILE";
}

/** Whether something has been near the screen. */
function useNear(of: { readonly current: Element | null }): boolean {
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    if (of.current === null || isNear) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setNear(true),
      { rootMargin: NEAR },
    );
    observer.observe(of.current);
    return () => observer.disconnect();
  }, [of, isNear]);
  return isNear;
}
