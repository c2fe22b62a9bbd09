/** Files on their way to and from the Storage of a project. */
import type { SupabaseClient } from "@supabase/supabase-js";
import { ParleyError } from "./errors.ts";

type Bucket = ReturnType<SupabaseClient["storage"]["from"]>;

/** What goes with a file; `tell` is called with how many bytes are on their way. */
interface Freight {
  readonly mimeType: string;
  /** The header of the account that uploads it. */
  readonly authorization: string;
  readonly tell: (sent: number) => void;
}

/** What Storage says of a refusal; supabase-js calls it `StorageError`. */
interface StorageRefusal {
  readonly message: string;
  readonly status?: unknown;
  readonly statusCode?: unknown;
}

/** By the status that Storage means: a hosted one says 400 and writes it into the body. */
const SLUGS = {
  "400": "invalid_input",
  "401": "sign_in_required",
  "403": "not_allowed",
  "404": "file_not_found",
  "413": "payload_too_large",
  "415": "invalid_input",
  "422": "invalid_input",
  "429": "slow_down",
} as const;

/**
 * Upload a file, unless it is there already.
 *
 * The look at what is there goes through the `fetch` of the app, which may know that there is no network, and
 * the file itself through XMLHttpRequest, since `fetch` cannot tell how far a request is.
 */
export async function upload(
  bucket: Bucket,
  path: string,
  file: Blob,
  freight: Freight,
): Promise<void> {
  const [folder, name] = [
    path.slice(0, path.lastIndexOf("/")),
    path.slice(path.lastIndexOf("/") + 1),
  ];
  const { data, error } = await bucket.list(folder, { limit: 1, search: name });
  if (error !== null) throw refusalOf(error);
  if (data.some((each) => each.name === name)) return;
  const { mimeType: contentType, authorization: Authorization } = freight;
  const refusal = typeof XMLHttpRequest === "undefined"
    ? (await bucket.upload(path, file, { contentType, headers: { Authorization } })).error
    : await post(urlOf(bucket, path), file, freight);
  if (refusal !== null && statusOf(refusal) !== "409") throw refusalOf(refusal);
}

/** Fetch a file; with a width in pixels, the image made smaller where the project does that. */
export async function download(bucket: Bucket, path: string, width: number | null): Promise<Blob> {
  if (width !== null) {
    const { data } = await bucket.download(path, { transform: { width, resize: "contain" } });
    if (data !== null) return data;
  }
  const { data, error } = await bucket.download(path);
  if (error === null) return data;
  const refusal = refusalOf(error);
  // A file that is not for this account looks absent.
  throw refusal.slug === "invalid_input"
    ? new ParleyError("file_not_found", refusal.detail)
    : refusal;
}

/** Where an object is put: supabase-js tells where it would be if its bucket were public. */
function urlOf(bucket: Bucket, path: string): string {
  return bucket.getPublicUrl(path).data.publicUrl.replace("/object/public/", "/object/");
}

/** Post a file; resolves to what Storage says against it, null for nothing. */
function post(url: string, file: Blob, freight: Freight): Promise<StorageRefusal | null> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Authorization", freight.authorization);
    request.setRequestHeader("Content-Type", freight.mimeType);
    request.setRequestHeader("cache-control", "max-age=3600");
    request.upload.onprogress = ({ loaded }) => freight.tell(loaded);
    request.onerror = () => resolve({ message: "there was no answer", status: 0 });
    request.onload = () => {
      const { status } = request;
      resolve(status >= 200 && status < 300 ? null : { status, ...bodyOf(request.responseText) });
    };
    request.send(file);
  });
}

function bodyOf(text: string): { readonly message: string; readonly statusCode?: unknown } {
  try {
    const { message, statusCode } = JSON.parse(text) as StorageRefusal;
    return { message: String(message), ...(statusCode === undefined ? {} : { statusCode }) };
  } catch {
    return { message: text };
  }
}

function statusOf({ statusCode, status }: StorageRefusal): string {
  return String(statusCode ?? status ?? 0);
}

function refusalOf(refusal: StorageRefusal): ParleyError {
  const status = statusOf(refusal);
  const isStale = /jwt|"exp"/.test(refusal.message);
  const known = isStale ? "sign_in_required" : SLUGS[status as keyof typeof SLUGS];
  const slug = known ?? (Number(status) > 0 ? "api_error" : "unreachable");
  return new ParleyError(slug, `Storage refused it: ${refusal.message}.`, "Check the file.");
}
