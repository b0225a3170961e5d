// What this process and those of its guests have touched of this host's memory.
// Reads what the kernel counts, where it does.
import { readFileSync } from 'node:fs';

/** What a guest's process has touched without its guest. */
const OWN_BYTES = 96 << 20;
/** Pages of the host, in which statm counts; where they are larger, less is taken for touched than is. */
const HOST_PAGE_BYTES = 4096;

/** `pids`: of the guests' processes. */
export function residentBytesWith(pids: readonly (number | undefined)[]): number {
  return pids.reduce<number>((sum, pid) => sum + touchedBytesOf(pid), process.memoryUsage.rss());
}

function touchedBytesOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return Math.max(0, pages * HOST_PAGE_BYTES - OWN_BYTES);
  } catch {
    // It is gone, or this is no Linux.
    return 0;
  }
}
