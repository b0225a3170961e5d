// What else the machine did while something was measured: other processes, and the host that it is a guest of.
// Linux only, from /proc; elsewhere nothing is known, and said so.
import { cpus, loadavg, release } from 'node:os';
import { readFileSync } from 'node:fs';

/** More than such a share of all processors' time disturbs what is measured. */
const OTHERS_SHARE_MAX = 0.1;
const STEAL_SHARE_MAX = 0.02;

export interface MachineHere {
  readonly node: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly cpu: string;
  /** Runnable threads, over the last minute, before anything was measured. */
  readonly loadBefore: number;
}

export function machineHere(): MachineHere {
  return {
    node: process.version,
    kernel: release(),
    cpus: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    loadBefore: loadavg()[0] ?? 0,
  };
}

export interface Disturbance {
  /** Shares of all processors' time; NaN where it is not known. */
  readonly othersShare: number;
  readonly stealShare: number;
  /** What makes a conclusion worthless; undefined: nothing. */
  readonly why: string | undefined;
}

interface Ticks {
  readonly all: number;
  readonly busy: number;
  readonly own: number;
  readonly steal: number;
}

/** Watches from now on; call what it answers when everything that was started has ended. */
export function watchMachine(): () => Disturbance {
  const before = ticksNow();
  return () => {
    const after = ticksNow();
    if (before === undefined || after === undefined)
      return { othersShare: NaN, stealShare: NaN, why: 'what else this machine does is not known here' };
    const all = Math.max(1, after.all - before.all);
    const othersShare = Math.max(0, after.busy - before.busy - (after.own - before.own)) / all;
    const stealShare = (after.steal - before.steal) / all;
    const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
    const why =
      othersShare > OTHERS_SHARE_MAX
        ? `other work took ${percent(othersShare)} of the processors`
        : stealShare > STEAL_SHARE_MAX
          ? `the host took ${percent(stealShare)} of the processors away`
          : undefined;
    return { othersShare, stealShare, why };
  };
}

// Of the machine: user and system time without interrupts. Of this process and those that it started and that have ended.
function ticksNow(): Ticks | undefined {
  try {
    const machine =
      /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]?.split(' ').map(Number) ?? [];
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0] = machine;
    const own = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
      .map(Number);
    return {
      all: user + nice + system + idle + wait + irq + softirq + steal,
      busy: user + nice + system,
      // utime, stime, cutime, cstime.
      own: own.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0),
      steal,
    };
  } catch {
    return undefined;
  }
}
