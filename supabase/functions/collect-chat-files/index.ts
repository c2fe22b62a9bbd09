// Removes the files that nobody may read any more: an Edge Function that anybody may wake who knows
// FILES_SECRET.
//
//   curl -X POST -H "x-files-secret: $FILES_SECRET" $SUPABASE_URL/functions/v1/collect-chat-files
//
// SQL cannot remove a file, so the database queues paths, and this asks the Storage API. Whenever it
// dies, what it had claimed is claimed again two minutes later. docs/attachments.md tells more.

import { serveWorker } from "../_parley/serve.ts";
import { collectAll } from "./worker.ts";

serveWorker("files", collectAll);
