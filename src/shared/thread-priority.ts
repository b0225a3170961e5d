// The scheduler's priority of one thread. A leaf; Linux only, elsewhere every thread keeps what it has.
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * How far the threads that compute or copy all the time give way to those that answer: by the weights of sched(7) a
 * hundred of them leave one that wakes a tenth of a processor at least. docs/decisions/0019-threads-that-give-way.md
 */
const BULK_NICE = 10;

/**
 * Makes the calling thread give way to others when processors are short. A thread can do this without any right, and
 * never take it back.
 */
export function giveWay(): void {
  if (process.platform !== 'linux') return;
  try {
    // "PID/task/TID"; on Linux a nice value belongs to a thread, see setpriority(2), "C library/kernel differences".
    const thread = Number(readlinkSync('/proc/thread-self').split('/')[2]);
    if (Number.isInteger(thread)) setPriority(thread, BULK_NICE);
  } catch {
    // No /proc, or a host that forbids it: the thread keeps its priority, and everything works as without.
  }
}
