// What becomes of a control connection that greets: decided by what is remembered here, and by what the caller says.
// Pure; the sockets are node.ts's.

/** What this node knows when a caller greets. */
export interface DoorState {
  /** The caller's migration has ended here, and what was answered is remembered. */
  readonly isAnswered: boolean;
  /** The caller's migration has a place. */
  readonly isHere: boolean;
  readonly freePlaces: number;
  /** One that has a place lost its source, and its guest never came. */
  readonly isOneAbandoned: boolean;
}

export type Admission =
  /** Its answers are said again. */
  | 'repeat'
  /** It leads to the caller's migration, which has a place. */
  | 'attach'
  /** A place is free: its migration begins. */
  | 'begin'
  /** All places are taken, and one of them by one that is abandoned: it is refused for good, and the caller looked at again. */
  | 'make-way'
  /** Somebody was here and welcomed it, and nothing of that is known any more. */
  | 'forgotten'
  | 'busy';

/**
 * `welcomedBy` is the caller's word for having been here before: such a migration may have been handed over, so what
 * is not remembered of it is neither refused nor begun anew. docs/decisions/0018-forgotten-migrations.md.
 */
export function admit(
  { isAnswered, isHere, freePlaces, isOneAbandoned }: DoorState,
  welcomedBy: string,
): Admission {
  if (isAnswered) return 'repeat';
  if (isHere) return 'attach';
  if (welcomedBy !== '') return 'forgotten';
  if (freePlaces > 0) return 'begin';
  return isOneAbandoned ? 'make-way' : 'busy';
}
