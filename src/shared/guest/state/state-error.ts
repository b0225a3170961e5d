// The errors of structures in guest memory: what was wrong, where, and what to do.
// A guest that does not catch one ends, as with anything that it throws.

/** A structure in guest memory is not there, is broken, or was used in a way that would break it: a bug of the guest. */
export class GuestStateError extends Error {
  /** Of the class, for a stack trace. */
  override readonly name: string = 'GuestStateError';
}

/** An allocator has no room left. Nothing was changed, so a guest may catch it, free something and go on. */
export class AllocatorFullError extends GuestStateError {
  /** Of the class, for a stack trace. */
  override readonly name = 'AllocatorFullError';
}

/** An address as messages show it. */
export function gpaText(gpa: number): string {
  return `gpa 0x${gpa.toString(16)}`;
}

/** Throws GuestStateError unless `gpa` is one that `alignment` divides. */
export function checkAligned(gpa: number, alignment: number, what: string): void {
  if (gpa >= 0 && gpa % alignment === 0) return;
  throw new GuestStateError(
    `${what} cannot lie at ${gpaText(gpa)}: choose an address that is a multiple of ${alignment}`,
  );
}
