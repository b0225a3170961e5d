// The matrix of guest endings: every way in which a guest ends, in every phase of its migration, each a cell; generated.
// Says how a cell is brought about and what both sides must say of it; ending-cell.ts runs it.

export const ENDINGS = ['throw', 'exit', 'power-off', 'loop', 'halt', 'memory', 'crash'] as const;
export type Ending = (typeof ENDINGS)[number];

export const PHASES = [
  'resting',
  'connecting',
  'copying',
  'arriving',
  'pushing',
  'auditing',
  'staying',
] as const;
export type Phase = (typeof PHASES)[number];

export interface EndingCell {
  readonly phase: Phase;
  readonly ending: Ending;
}

/** In which process, and when (guests/ending.mjs); `file`: once the source, or the destination, says that. */
export const ENDS_AT: Readonly<
  Record<Phase, { readonly side: 'source' | 'destination'; readonly when: string; readonly said?: RegExp }>
> = {
  resting: { side: 'source', when: 'later' },
  connecting: { side: 'source', when: 'file', said: /connecting to the destination/ },
  copying: { side: 'source', when: 'file', said: /round 0/ },
  arriving: { side: 'destination', when: 'first' },
  pushing: { side: 'destination', when: 'later' },
  auditing: { side: 'destination', when: 'audit' },
  staying: { side: 'destination', when: 'file', said: /is whole and runs here/ },
};

export interface Verdict {
  /** Exit status of the source, and in its document the code, if there is one, and the owner. */
  readonly status: readonly number[];
  readonly code?: readonly string[];
  readonly owner?: readonly string[];
}

const FAILED = ['GUEST_FAILED'];

/** What the source must say of it. */
export function verdictOf({ phase, ending }: EndingCell): Verdict {
  const code = ending === 'power-off' ? ['GUEST_ENDED'] : FAILED;
  switch (phase) {
    case 'resting':
      // A loop and a halt are no end: the guest is ended by its user.
      if (ending === 'loop' || ending === 'halt') return { status: [130], code: ['CANCELLED'] };
      return { status: [ending === 'power-off' ? 0 : 5], code, owner: ['nobody'] };
    case 'connecting':
      if (ending === 'loop' || ending === 'halt')
        return { status: [3], code: ['CONNECT_FAILED'], owner: ['source'] };
      return { status: [5], code, owner: [ending === 'crash' ? 'nobody' : 'source'] };
    case 'copying':
      if (ending === 'halt') return { status: [0] };
      if (ending === 'loop') return { status: [5], code: ['TIMEOUT'], owner: ['source'] };
      return { status: [5], code, owner: [ending === 'crash' ? 'nobody' : 'source'] };
    case 'arriving':
    case 'pushing':
      if (ending === 'halt') return { status: [0] };
      // A slice that does not end is found when the guest is stopped for its audit.
      if (ending === 'loop')
        return { status: [5], code: ['TIMEOUT', ...FAILED], owner: ['lost', 'destination'] };
      if (ending === 'crash')
        return { status: [5, 7], code: [...FAILED, 'IN_DOUBT'], owner: ['lost', 'in doubt'] };
      return { status: [5], code: [...code, ...FAILED], owner: ['lost'] };
    case 'auditing':
      // The guest itself goes on: an audit that could not be made has not passed.
      return ending === 'crash' ? { status: [5], code, owner: ['lost'] } : { status: [6] };
    case 'staying':
      return { status: [0] };
  }
}

/** The whole matrix; an audit has no vCPU that could be powered off or halt, and one that loops is waited for, for minutes. */
export function allEndings(): EndingCell[] {
  return PHASES.flatMap((phase) => ENDINGS.map((ending) => ({ phase, ending }))).filter(
    ({ phase, ending }) =>
      phase !== 'auditing' || (ending !== 'power-off' && ending !== 'halt' && ending !== 'loop'),
  );
}

export function nameOfEnding({ phase, ending }: EndingCell): string {
  return `${ending} while ${phase}`;
}
