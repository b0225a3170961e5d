// Whether this host has what a guest is about to touch: asked before it is booted, which fills all of that.
// Knows sizes only. What a guest that comes needs is the destination's room.ts.
import { MicrostunError } from '../errors.js';
import { formatBytes } from '../units.js';
import type { MemoryHandle } from '../memory/layout.js';
import { residentBytesOf, type GuestSpec } from './guest-program.js';
import { allocateMachine, type SharedMachine } from './shared-machine.js';

/** What is left to the host, and to this process for its threads: a vCPU that touches memory waits below about that. */
const ASIDE_BYTES = 256 << 20;

/**
 * A machine for `spec`, with `memory` if that is laid out already.
 * @throws MicrostunError INSUFFICIENT_MEMORY when the host has no room for it.
 */
export function machineOnHost(spec: GuestSpec, memory?: MemoryHandle): SharedMachine {
  try {
    return allocateMachine(spec, memory);
  } catch (error) {
    throw new MicrostunError(
      'INSUFFICIENT_MEMORY',
      `this host cannot allocate ${spec.memoryBytes} bytes of guest memory; choose a smaller --memory`,
      { cause: error },
    );
  }
}

/** @throws MicrostunError INSUFFICIENT_MEMORY when `spec` touches more than is available. */
export function checkHostMemory(spec: GuestSpec, availableBytes = process.availableMemory()): void {
  const bytes = residentBytesOf(spec);
  if (bytes + ASIDE_BYTES <= availableBytes) return;
  throw new MicrostunError(
    'INSUFFICIENT_MEMORY',
    `the guest touches ${formatBytes(bytes)} of memory, and this host has ${formatBytes(availableBytes)} available, ` +
      `of which ${formatBytes(ASIDE_BYTES)} are not for a guest; choose a smaller --memory or --resident, or free memory here`,
  );
}

/** Said of a vCPU that touches memory for the first time where the host has none to spare. */
export function shortOfMemoryText(vcpu: number): string {
  return `vCPU ${vcpu} waits: the guest touches memory for the first time, and this host has none to spare; free some, and it goes on`;
}
