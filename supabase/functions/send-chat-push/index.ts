// Sends the pushes that are due: an Edge Function for everybody who knows PUSH_SECRET.
//
//   curl -X POST -H "x-push-secret: $PUSH_SECRET" $SUPABASE_URL/functions/v1/send-chat-push
//
// It claims deliveries from the database, hands them to Expo, FCM and Web Push, and reports the outcome
// of each. If it dies, the deliveries that it had claimed can be claimed again after two minutes. Its
// settings are environment variables; docs/push.md lists them.

import { serveWorker } from "../_parley/serve.ts";
import { sendAll } from "./worker.ts";

serveWorker("push", sendAll);
