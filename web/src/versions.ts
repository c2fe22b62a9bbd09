/**
 * Which versions of the client and of the schema work together. The server says in `list_heads` which version it
 * has, and the oldest client that it serves.
 */
import { ParleyError } from "./errors.ts";

/** The version of this client. */
export const VERSION = "0.2.0";
/** The oldest schema that it works with. */
const LOWEST_SCHEMA = "0.1.0";

/** Throw `client_too_old` or `server_too_old` where this client and a server do not fit together. */
export function checkVersions(version: string, lowestClient: string): void {
  if (isOlder(VERSION, lowestClient)) {
    throw new ParleyError(
      "client_too_old",
      `This app has Parley ${VERSION}, and the server works with ${lowestClient} and newer.`,
      "Update the app. What is on this device stays, and what was not sent yet is sent then.",
    );
  }
  if (isOlder(version, LOWEST_SCHEMA)) {
    throw new ParleyError(
      "server_too_old",
      `The server has Parley ${version}, and this app needs ${LOWEST_SCHEMA} or newer.`,
      "Run 'parley upgrade' in the project and push its migration, or use the app's version from before. " +
        "What is on this device stays.",
    );
  }
}

/** Tell whether a version came before another one. */
function isOlder(version: string, other: string): boolean {
  const [one, two] = [version, other].map((each) => (each.match(/\d+/g) ?? []).map(Number));
  for (let at = 0; at < Math.max(one!.length, two!.length); at++) {
    const difference = (one![at] ?? 0) - (two![at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
