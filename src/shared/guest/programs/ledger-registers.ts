// The registers of a vCPU of the ledger guest, and the turns that they say it is in.
// Knows no memory: what a turn does there is ledger-turns.ts's.

export const Register = {
  RANDOM: 0,
  DUE: 1,
  PHASE: 2,
  FROM_PAGE: 3,
  FROM_SLOT: 4,
  TO_PAGE: 5,
  TO_SLOT: 6,
  /** What the transfer is to carry at first, and what it carries once it is debited. */
  AMOUNT: 7,
  /** Transfers that it began. */
  TRANSFERS: 8,
  /** Debits and credits that it made, and the sum (mod 2^32) of their stamps: what all accounts must add up to. */
  MOVES: 9,
  STAMPS: 10,
  /** Of vCPU 0: the page that the walk visits next, what it has added up so far, and how many walks are done. */
  VISIT_PAGE: 11,
  WALK_SUM: 12,
  WALKS: 13,
  TURNS: 14,
  /** How often it has asked for the lock that it waits for. */
  WAITS: 15,
} as const;

/** What a vCPU is about between two slices. */
export const Phase = {
  IDLE: 0,
  /** Waits for the lock of the lower page of its transfer; holds none. */
  LOCKING_FIRST: 1,
  /** Holds that of the lower page, waits for that of the higher one. */
  LOCKING_SECOND: 2,
  /** Holds both, has debited and not credited yet: the amount is in its register alone. */
  CREDITING: 3,
  /** Waits for the lock of the page that the walk visits; holds none. */
  VISITING: 4,
} as const;

/** The pages whose locks a vCPU holds, lowest first. */
export function pagesHeldBy(registers: Float64Array): number[] {
  const [low, high] = pagesOfTransfer(registers);
  switch (registers[Register.PHASE]) {
    case Phase.LOCKING_SECOND:
      return [low];
    case Phase.CREDITING:
      return low === high ? [low] : [low, high];
    default:
      return [];
  }
}

/** The page whose lock a vCPU waits for; -1 when it waits for none. */
export function pageAwaitedBy(registers: Float64Array): number {
  const [low, high] = pagesOfTransfer(registers);
  switch (registers[Register.PHASE]) {
    case Phase.LOCKING_FIRST:
      return low;
    case Phase.LOCKING_SECOND:
      return high;
    case Phase.VISITING:
      return registers[Register.VISIT_PAGE]!;
    default:
      return -1;
  }
}

/** The pages of a transfer in the order in which their locks are taken. */
export function pagesOfTransfer(registers: Float64Array): [low: number, high: number] {
  const [from, to] = [registers[Register.FROM_PAGE]!, registers[Register.TO_PAGE]!];
  return from < to ? [from, to] : [to, from];
}
