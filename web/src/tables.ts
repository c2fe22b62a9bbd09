/** All that tables of the app's own need. It is loaded only where an app names some. */
export { TablePullers } from "./table_pullers.ts";
export { readProgress, readRow, readRows } from "./table_reads.ts";
