/**
 * Says when a heartbeat of Realtime is due, in a worker: timers of a tab that is behind others come too late.
 *
 * supabase-js makes such a worker from a text, which the page's policy forbids, and takes a file instead.
 */
addEventListener("message", ({ data }: MessageEvent<{ event: string; interval: number }>) => {
  if (data.event === "start") setInterval(() => postMessage({ event: "keepAlive" }), data.interval);
});
