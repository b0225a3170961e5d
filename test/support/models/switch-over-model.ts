// A model of the two gates of a switch-over: at the source the main thread shuts what the tracer passes, at the destination
// the main thread shuts what the fetcher passes; what is said in between may be lost, and is said again.
// Every Atomics operation of a gate is a step of its own. RESUMED is left out: it says no more than TAKEN_OVER does.
import { Thread, WordLayout, type Model, type Move, type Step, type Words } from '../explorer.js';

export type SwitchOverMutation =
  | 'source: gate looked at and passed in two steps'
  | 'source: hand-over said before the gate is passed'
  | 'source: released before the gate is shut'
  | 'source: released while the tracer may stop it still'
  | 'destination: gate looked at and passed in two steps'
  | 'destination: refused before the gate is shut'
  | 'destination: run before the gate is passed'
  | 'destination: answered before the gate is passed'
  | 'destination: answered once and never again'
  | 'destination: placement gate shut after the gate is passed'
  | 'destination: taken up again after it was declined';

const SHUT = 0;
const OPEN = 1;
const PASSED = 2;

export interface SwitchOverWords {
  readonly runsAtSource: number;
  readonly runsAtDestination: number;
  readonly sourceGate: number;
  readonly destinationGate: number;
  /** What is on its way. */
  readonly handOver: number;
  readonly answer: number;
  readonly refusal: number;
  /** The tracer was told to end. */
  readonly isTracerEnded: number;
  readonly isPlacementShut: number;
  readonly inside: number;
  readonly isOverwriting: number;
  readonly isDeclined: number;
}

type Act = (words: Words) => string | undefined;
const step = (at: string, label: string, run: Act): Step => ({ at, label, run });

export function switchOverModel(mutation?: SwitchOverMutation): Model {
  const layout = new WordLayout();
  const shared: SwitchOverWords = {
    runsAtSource: layout.word('runsAtSource', 1),
    runsAtDestination: layout.word('runsAtDestination'),
    sourceGate: layout.word('sourceGate', OPEN),
    destinationGate: layout.word('destinationGate', OPEN),
    handOver: layout.word('handOver'),
    answer: layout.word('answer'),
    refusal: layout.word('refusal'),
    isTracerEnded: layout.word('isTracerEnded'),
    isPlacementShut: layout.word('isPlacementShut'),
    inside: layout.word('inside'),
    isOverwriting: layout.word('isOverwriting'),
    isDeclined: layout.word('isDeclined'),
  };
  const tracer = new Thread(layout, 'tracer', tracerSteps(shared, mutation));
  const isTracerAtRest = (words: Words): boolean =>
    ['begin', 'handed over', 'stayed'].some((at) => tracer.isAt(words, at));
  const source = new Thread(layout, 'source', sourceSteps(shared, isTracerAtRest, mutation));
  const fetcher = new Thread(layout, 'fetcher', fetcherSteps(shared, mutation));
  const destination = new Thread(layout, 'destination', destinationSteps(shared, mutation));
  const receiver = new Thread(layout, 'receiver', receiverSteps(shared));
  const { runsAtSource, runsAtDestination, isOverwriting, isDeclined } = shared;
  return {
    layout,
    moves: [
      ...[source, tracer, fetcher, destination, receiver].flatMap(({ moves }) => moves),
      ...losses(shared),
    ],
    violation(words) {
      const isHere = words[runsAtDestination] === 1;
      if (isHere && words[runsAtSource] === 1) return 'both sides run the guest';
      if (isHere && words[isOverwriting] === 1) return 'a running guest is overwritten';
      if (isHere && words[isDeclined] === 1) return 'a guest that was declined runs';
      return source.isAt(words, 'gone') && destination.isAt(words, 'refused')
        ? 'neither side has the guest'
        : undefined;
    },
    // A guest that neither side runs is in doubt, as long as one of these can still be reached.
    isFinal: (words) =>
      (source.isAt(words, 'kept') && words[runsAtSource] === 1) ||
      (source.isAt(words, 'gone') && words[runsAtDestination] === 1),
  };
}

function tracerSteps(shared: SwitchOverWords, mutation?: SwitchOverMutation): Step[] {
  const { sourceGate, runsAtSource, handOver, isTracerEnded } = shared;
  const pass = (at: string, then: string): Step[] =>
    mutation === 'source: gate looked at and passed in two steps'
      ? [
          step(at, 'sees the gate open', (words) => (words[sourceGate] === OPEN ? 'pass blindly' : 'stayed')),
          step('pass blindly', 'calls it passed', (words) => ((words[sourceGate] = PASSED), then)),
        ]
      : [
          step(at, 'passes the gate', (words) => {
            if (words[sourceGate] !== OPEN) return 'stayed';
            words[sourceGate] = PASSED;
            return then;
          }),
        ];
  const say = (at: string, then: string): Step =>
    step(at, 'says HAND_OVER', (words) => ((words[handOver] = 1), then));
  const leave =
    mutation === 'source: hand-over said before the gate is passed'
      ? [say('leave', 'pass'), ...pass('pass', 'handed over')]
      : [...pass('leave', 'say'), say('say', 'handed over')];
  return [
    step('begin', 'looks at the gate', (words) => {
      if (words[isTracerEnded] === 1) return 'stayed';
      return words[sourceGate] === OPEN ? 'park' : 'stayed';
    }),
    step('park', 'parks the guest', (words) => ((words[runsAtSource] = 0), 'leave')),
    ...leave,
    step('handed over', 'says HAND_OVER again', (words) => {
      if (words[isTracerEnded] === 1 || words[handOver] === 1) return undefined;
      words[handOver] = 1;
      return 'handed over';
    }),
  ];
}

function sourceSteps(
  shared: SwitchOverWords,
  isTracerAtRest: (words: Words) => boolean,
  mutation?: SwitchOverMutation,
): Step[] {
  const { sourceGate, runsAtSource, answer, refusal, isTracerEnded } = shared;
  const hears = (at: string, label: string, word: number, then: string): Step =>
    step(at, label, (words) => {
      if (words[word] === 0) return undefined;
      words[word] = 0;
      return then;
    });
  // Once it is handed over a refusal counts, and a wish of this side does not.
  const shut = (at: string, otherwise: string): Step =>
    step(at, 'shuts the gate', (words) => {
      if (mutation === 'source: released before the gate is shut') return 'end the tracer';
      if (words[sourceGate] === PASSED) return otherwise;
      words[sourceGate] = SHUT;
      return 'end the tracer';
    });
  return [
    step('moving', 'wants the guest to stay', () => 'shut'),
    hears('moving', 'hears REFUSAL', refusal, 'shut, refused'),
    step('moving', 'is told of the hand-over', (words) =>
      words[sourceGate] === PASSED && isTracerAtRest(words) ? 'handed over' : undefined,
    ),
    shut('shut', 'handed over'),
    shut('shut, refused', 'end the tracer'),
    hears('handed over', 'hears TAKEN_OVER', answer, 'gone'),
    hears('handed over', 'hears REFUSAL', refusal, 'end the tracer'),
    step('end the tracer', "ends the tracer's work", (words) => {
      if (mutation !== 'source: released while the tracer may stop it still' && !isTracerAtRest(words))
        return undefined;
      words[isTracerEnded] = 1;
      return 'release';
    }),
    step('release', 'runs the guest', (words) => ((words[runsAtSource] = 1), 'kept')),
  ];
}

function fetcherSteps(shared: SwitchOverWords, mutation?: SwitchOverMutation): Step[] {
  const { destinationGate, runsAtDestination, handOver, answer } = shared;
  const { isPlacementShut, inside, isDeclined } = shared;
  const takesUpAgain = mutation === 'destination: taken up again after it was declined';
  const pass = (at: string, then: string): Step[] =>
    mutation === 'destination: gate looked at and passed in two steps'
      ? [
          step(at, 'sees the gate open', (words) =>
            words[destinationGate] === OPEN ? 'pass blindly' : 'idle',
          ),
          step('pass blindly', 'calls it passed', (words) => ((words[destinationGate] = PASSED), then)),
        ]
      : [
          step(at, 'passes the gate', (words) => {
            if (words[destinationGate] !== OPEN) return 'idle';
            words[destinationGate] = PASSED;
            return then;
          }),
        ];
  const say = (at: string, then: string): Step =>
    step(at, 'says TAKEN_OVER', (words) => ((words[answer] = 1), then));
  const run = (at: string, then: string): Step =>
    step(at, 'runs the guest', (words) => ((words[runsAtDestination] = 1), then));
  const shutPlacement = (at: string, then: string): Step[] => [
    step(at, 'shuts the placement gate', (words) => ((words[isPlacementShut] = 1), 'look inside')),
    step('look inside', 'looks who is inside', (words) => (words[inside] === 0 ? then : 'decline')),
  ];
  const take = ((): Step[] => {
    switch (mutation) {
      case 'destination: run before the gate is passed':
        return [
          ...shutPlacement('take', 'run'),
          run('run', 'pass'),
          ...pass('pass', 'answer'),
          say('answer', 'idle'),
        ];
      case 'destination: answered before the gate is passed':
        return [
          ...shutPlacement('take', 'answer'),
          say('answer', 'pass'),
          ...pass('pass', 'run'),
          run('run', 'idle'),
        ];
      case 'destination: placement gate shut after the gate is passed':
        return [
          ...pass('take', 'shut'),
          ...shutPlacement('shut', 'answer'),
          say('answer', 'run'),
          run('run', 'idle'),
        ];
      default:
        return [
          ...shutPlacement('take', 'pass'),
          ...pass('pass', 'answer'),
          say('answer', 'run'),
          run('run', 'idle'),
        ];
    }
  })();
  return [
    step('idle', 'reads HAND_OVER', (words) => {
      if (words[handOver] === 0) return undefined;
      words[handOver] = 0;
      return 'look';
    }),
    step('look', 'looks at the gate', (words) => {
      if (words[destinationGate] === PASSED)
        return mutation === 'destination: answered once and never again' ? 'idle' : 'answer again';
      const mayTake = words[isDeclined] === 0 || takesUpAgain;
      return words[destinationGate] === OPEN && mayTake ? 'take' : 'idle';
    }),
    say('answer again', 'idle'),
    ...take,
    step('decline', 'declines', (words) => ((words[isDeclined] = 1), 'idle')),
  ];
}

function destinationSteps(shared: SwitchOverWords, mutation?: SwitchOverMutation): Step[] {
  const { destinationGate, runsAtDestination, refusal, isDeclined } = shared;
  const isEarly = mutation === 'destination: refused before the gate is shut';
  const say = (words: Words): string => {
    words[refusal] = 1;
    return 'refused';
  };
  return [
    step('receiving', 'wants to refuse', () => 'shut'),
    step('receiving', 'hears that it was declined', (words) =>
      words[isDeclined] === 1 ? 'shut' : undefined,
    ),
    step('receiving', 'hears that it is taken over', (words) =>
      words[runsAtDestination] === 1 ? 'taken over' : undefined,
    ),
    step('shut', isEarly ? 'says REFUSAL' : 'shuts the gate', (words) => {
      if (isEarly) return say(words);
      if (words[destinationGate] === PASSED) return 'receiving';
      words[destinationGate] = SHUT;
      return 'refuse';
    }),
    step('refuse', 'says REFUSAL', say),
    step('refused', 'says REFUSAL again', (words) => (words[refusal] === 1 ? undefined : say(words))),
  ];
}

function receiverSteps({ isPlacementShut, inside, isOverwriting }: SwitchOverWords): Step[] {
  return [
    step('begin', 'counts itself', (words) => (words[inside]!++, 'look')),
    step('look', 'looks at the placement gate', (words) =>
      words[isPlacementShut] === 0 ? 'write' : 'leave',
    ),
    step('write', 'begins to overwrite pages', (words) => ((words[isOverwriting] = 1), 'done')),
    step('done', 'has overwritten them', (words) => ((words[isOverwriting] = 0), 'leave')),
    step('leave', 'counts itself out', (words) => (words[inside]!--, 'end')),
  ];
}

// With their connection.
function losses({ handOver, answer, refusal }: SwitchOverWords): Move[] {
  return [
    ['HAND_OVER', handOver] as const,
    ['TAKEN_OVER', answer] as const,
    ['REFUSAL', refusal] as const,
  ].map(([name, word]) => ({
    label: `${name} is lost`,
    apply: (words) => {
      if (words[word] === 0) return false;
      words[word] = 0;
      return true;
    },
  }));
}
