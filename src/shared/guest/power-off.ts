// A guest that ends itself: thrown in the vCPU that says so, and told as an error that is no failure.
// Knows texts only.
import { MicrostunError } from '../errors.js';

/** Longer reasons are cut. */
const REASON_CHARACTERS_MAX = 200;

/** Ends the slice of a vCPU that powers its guest off. */
export class PoweredOff extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super('the guest powered itself off');
    this.reason = reason.slice(0, REASON_CHARACTERS_MAX);
  }
}

/** What becomes of a migration of such a guest, and of whoever runs it. */
export function poweredOffError(program: string, reason: string): MicrostunError {
  const why = reason === '' ? '' : `: ${reason}`;
  return new MicrostunError('GUEST_ENDED', `guest "${program}" powered itself off${why}`);
}
