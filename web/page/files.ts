/**
 * Files of messages, fetched with the session and shown as `blob:` addresses.
 *
 * What an attachment says of itself was written by other people: every part of it is looked at before it is used,
 * and only pictures of kinds that cannot hold scripts are shown.
 */
import type { SupabaseClient } from "@supabase/supabase-js";
import { useEffect, useState } from "react";
import type { Json, Progress } from "../src/index.ts";
import { usePage } from "./page.ts";

const BUCKET = "chat-attachments";
/** So many files are kept; one that is shown already stays when it is let go. */
const MOST_KEPT = 80;
const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;
const MOST_PIXELS = 100_000;

/** A file of a message. */
export interface SharedFile {
  readonly path: string;
  readonly name: string;
  readonly mime_type: string;
  /** Bytes; null when nobody said. */
  readonly size: number | null;
  /** Pixels; null when nobody said. */
  readonly box: { readonly width: number; readonly height: number } | null;
}

/** An attachment as a file; null when it is something of an app's own. */
export function fileOf(attachment: Json): SharedFile | null {
  if (typeof attachment !== "object" || attachment === null || Array.isArray(attachment)) {
    return null;
  }
  const { path, name, mime_type, size, width, height } = attachment as { [key: string]: Json };
  if (typeof path !== "string") return null;
  return {
    path,
    name: typeof name === "string" && name !== "" ? name : "File",
    mime_type: typeof mime_type === "string" ? mime_type : "",
    size: typeof size === "number" && size >= 0 ? size : null,
    box: isPixels(width) && isPixels(height) ? { width, height } : null,
  };
}

function isPixels(value: Json | undefined): value is number {
  return typeof value === "number" && value >= 1 && value <= MOST_PIXELS;
}

/** Tell whether a type is that of a picture that may be shown. */
export function isPicture(mime_type: string): boolean {
  return PICTURE.test(mime_type);
}

/** The size of a picture in pixels; null when it cannot be read as one. */
export async function boxOf(file: Blob): Promise<SharedFile["box"]> {
  if (!isPicture(file.type)) return null;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) return null;
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** A number of bytes as people read it. */
export function bytes(count: number): string {
  const power = Math.min(Math.max(Math.ceil(Math.log10(count + 1) / 3) - 1, 0), UNITS.length - 1);
  const format = new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: UNITS[power] as string,
    maximumFractionDigits: 1,
  });
  return format.format(count / 1000 ** power);
}

/** How much of a file is there, from 0 to 1; null before it has begun. */
export function shareOf(progress: Progress | null): number | null {
  return progress === null || progress.size === 0 ? null : progress.sent / progress.size;
}

/** The files of one page. */
export class Files {
  readonly #urls = new Map<string, Promise<string>>();
  readonly #listeners = new Set<() => void>();

  constructor(readonly supabase: Pick<SupabaseClient, "storage">) {}

  /** Keep an own file that is on its way, so that it can be shown before it is there. */
  keep(path: string, file: Blob): void {
    this.#remember(path, Promise.resolve(URL.createObjectURL(file)));
    for (const listener of this.#listeners) listener();
  }

  /** Tell whether a file is here. */
  has(path: string): boolean {
    return this.#urls.has(path);
  }

  /** The address of a file on this page. Rejects when it cannot be fetched. */
  url(path: string): Promise<string> {
    const known = this.#urls.get(path);
    const url = known ?? this.#fetch(path);
    this.#remember(path, url);
    return url;
  }

  /** Call a function when an own file is kept. */
  readonly subscribe = (listener: () => void): () => void => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async #fetch(path: string): Promise<string> {
    const { data, error } = await this.supabase.storage.from(BUCKET).download(path);
    if (error === null) return URL.createObjectURL(data);
    this.#urls.delete(path);
    throw error;
  }

  #remember(path: string, url: Promise<string>): void {
    this.#urls.delete(path);
    this.#urls.set(path, url);
    for (const [old, gone] of this.#urls) {
      if (this.#urls.size <= MOST_KEPT) break;
      this.#urls.delete(old);
      gone.then(URL.revokeObjectURL, () => undefined);
    }
  }
}

/** How a file of a message stands. */
export interface Fetched {
  readonly url: string | null;
  readonly isMissing: boolean;
  readonly again: () => void;
}

/** Fetch a file when it is wanted. One that is on its way to the server is only shown from here. */
export function useFile(path: string, isWanted: boolean, isOnItsWay: boolean): Fetched {
  const { files } = usePage();
  const [url, setUrl] = useState<string | null>(null);
  const [isMissing, setMissing] = useState(false);
  const [turn, setTurn] = useState(0);
  const again = () => setTurn((last) => last + 1);

  useEffect(() => files.subscribe(again), [files]);
  useEffect(() => {
    if (!isWanted || (isOnItsWay && !files.has(path))) return;
    let isShown = true;
    files.url(path).then(
      (found) => {
        if (!isShown) return;
        setUrl(found);
        setMissing(false);
      },
      () => isShown && setMissing(true),
    );
    return () => void (isShown = false);
  }, [files, path, isWanted, isOnItsWay, turn]);
  return { url, isMissing, again };
}

/** Save a file under its name. */
export function save(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
