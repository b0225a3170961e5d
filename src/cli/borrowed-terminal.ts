// The terminal of a parent process that shows what this one says: whose clock it is on, and as whom it speaks.
// Set by `demo` in the environment of its destination; without it, a command has a clock of its own and no name.

const VARIABLE = 'MICROSTUN_BORROWED_TERMINAL';

export interface BorrowedTerminal {
  /** Where the clock began, in milliseconds of the wall clock. */
  readonly beganAt: number;
  /** In front of each line of progress. */
  readonly label: string;
  /** Whether people read it, although this process writes to a pipe. */
  readonly isTerminal: boolean;
}

const own: BorrowedTerminal = { beganAt: Date.now(), label: '', isTerminal: false };

export const borrowedTerminal = read(process.env[VARIABLE]);

/** The environment of a child process whose lines this one shows. */
export function lendTerminal(label: string, isTerminal: boolean): NodeJS.ProcessEnv {
  const lent: BorrowedTerminal = { beganAt: borrowedTerminal.beganAt, label: `${label}: `, isTerminal };
  return { ...process.env, [VARIABLE]: JSON.stringify(lent) };
}

// It is our own parent's word, but whoever started that may have set anything.
function read(text: string | undefined): BorrowedTerminal {
  if (text === undefined) return own;
  try {
    const { beganAt, label, isTerminal } = JSON.parse(text) as Partial<BorrowedTerminal>;
    return { beganAt: Number(beganAt), label: String(label), isTerminal: isTerminal === true };
  } catch {
    return own;
  }
}
