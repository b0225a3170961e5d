// What becomes of a control connection that greets: decided by what is remembered here, and by what the caller says.
// Pure; the sockets are node.ts's.

/** What this node knows when a caller greets. */
export interface DoorState {
  /** The caller's migration has ended here, and what was answered is remembered. */
  readonly isAnswered: boolean;
  /** The migration that has the place. */
  readonly current: { readonly isCallers: boolean; readonly isAbandoned: boolean } | undefined;
}

export type Admission =
  /** Its answers are said again. */
  | 'repeat'
  /** It leads to the migration that has the place, and is the caller's. */
  | 'attach'
  /** The place is free: its migration begins. */
  | 'begin'
  /** The one in the place lost its source: it is refused for good, and then the caller is looked at again. */
  | 'make-way'
  /** Somebody was here and welcomed it, and nothing of that is known any more. */
  | 'forgotten'
  | 'busy';

/**
 * `welcomedBy` is the caller's word for having been here before: such a migration may have been handed over, so what
 * is not remembered of it is neither refused nor begun anew. docs/decisions/0018-forgotten-migrations.md.
 */
export function admit({ isAnswered, current }: DoorState, welcomedBy: string): Admission {
  if (isAnswered) return 'repeat';
  if (current?.isCallers === true) return 'attach';
  if (welcomedBy !== '') return 'forgotten';
  if (current === undefined) return 'begin';
  return current.isAbandoned ? 'make-way' : 'busy';
}
