// Faults on the wire of a process under test, and the environment in which it suffers them.
// What strikes is the preload wire-faults.mjs, which Node loads in every thread of the process and of its children.
import type { FrameName } from '../../src/shared/wire/frames.js';

export interface WireFault {
  /** The message whose sending triggers it, and which one of them (from 1; counted in each thread). */
  readonly message: FrameName;
  readonly nth?: number;
  /** Whether only what a worker sends triggers it: on a page or fault connection, and not on control. */
  readonly isOfWorkers?: boolean;
  /** Before its first byte, after half of it, or after its last. For `corrupt`: which byte of it is damaged. */
  readonly when: 'before' | 'middle' | 'after' | 'last-byte';
  readonly what: 'cut' | 'kill-self' | 'kill-peer' | 'stall' | 'corrupt';
  /** For `kill-peer`: a file that holds the peer's process id. */
  readonly peerPidFile?: string;
  /** Made when it strikes; where it exists already the fault is spent, in whichever thread or process that was. */
  readonly spentFile?: string;
}

/** What a process needs in its environment for `faults` to strike what it sends. */
export function sufferingFrom(faults: readonly WireFault[]): Record<string, string> {
  const preload = new URL('./wire-faults.mjs', import.meta.url).href;
  return {
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${preload}`.trim(),
    WIRE_FAULTS: JSON.stringify(faults),
  };
}
