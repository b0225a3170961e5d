// Whether this host has what a guest is about to touch: asked before it is booted, which fills all of that.
// Knows sizes only. What a guest that comes needs is the destination's room.ts.
import { MicrostunError } from '../errors.js';
import { formatBytes } from '../units.js';
import { residentBytesOf, type GuestSpec } from './guest-program.js';

/** What is left to the host, and to this process for its threads: a vCPU that touches memory waits below about that. */
const ASIDE_BYTES = 256 << 20;

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
