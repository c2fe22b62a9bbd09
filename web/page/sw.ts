/** The service worker of the page. Whose page it works for stands in its own address: `/sw.js?as=ann`. */
import { handlePushes, type PushWorker } from "../push/worker.ts";

handlePushes(self as unknown as PushWorker, (room_id) => `/${location.search}#${room_id}`);
