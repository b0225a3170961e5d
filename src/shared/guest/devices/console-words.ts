// The window of a console: a page of words, the ring of what the guest wrote, and the ring of what was typed.
// A layout; console-stream.ts is the guest's side, console-port.ts the device's.

/** What was typed and not read yet. */
export const CONSOLE_INPUT_BYTES = 4096;

/** Offsets of u32 words in the first page; each has one writer. Counts go round at 2^32. */
export const ConsoleWord = {
  /** Bytes that the guest has ever written: those before the last `ringBytes` are gone. By the guest. */
  WRITTEN: 0,
  /** What `WRITTEN` is about to be: bytes of the ring are being written over up to there. By the guest. */
  CLAIMED: 4,
  /** 1: it has written all of the ring at least once. By the guest. */
  FILLED: 8,
  /** Bytes typed. By the device. */
  TYPED: 64,
  /** Bytes of them that the guest has read. By the guest. */
  READ: 128,
} as const;
