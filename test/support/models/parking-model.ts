// A model of parking and leaving a park against a grace period (the tracer) and against PARK (the machine), with every
// Atomics.wait and notify of safepoint-control.ts as a step of its own. Only the check of a page is a plain load.
import { Thread, WordLayout, type Model, type Step, type Words } from '../explorer.js';
import { machineSteps, tracerSteps } from './parking-model-control.js';

export type ParkingMutation =
  | 'epoch loaded before RUNNING is published'
  | 'command loaded before RUNNING is published'
  | 'changes loaded after the state'
  | 'no notice of the acknowledgement'
  | 'no notice of the park';

export interface ParkingModelOptions {
  readonly vcpus: number;
  /** Grace periods of the tracer; a page state is changed before each. */
  readonly gracePeriods: number;
  /** How often the machine commands PARK, waits, and commands RUN; 0: the vCPUs run for ever. */
  readonly parks: number;
  readonly mutation?: ParkingMutation;
}

export const PARKED = 0;
export const RUNNING = 1;
export const PARK = 0;
export const RUN = 1;

export interface ParkingVcpuWords {
  readonly state: number;
  readonly acknowledged: number;
  readonly changes: number;
  readonly epochSeen: number;
  /** The page state (a version, from 1) that it has checked and not yet used; 0 outside of slices. */
  readonly checked: number;
  /** The oldest page state that a check may still answer: that of the newest epoch it loaded. */
  readonly seen: number;
  /** 1 from leaving its park until it looks at the command. */
  readonly isLeaving: number;
  /** 1 while it sleeps on the command. */
  readonly isAsleep: number;
}

export interface ParkingWords {
  readonly epoch: number;
  readonly command: number;
  readonly version: number;
  /** Versions below this one have been promised to be in use no more. */
  readonly promised: number;
  /** 1 while the machine relies on its guest being parked. */
  readonly isRelied: number;
  /** Whose change the tracer, and whose state the machine, sleeps on (vCPU + 1), or 0. */
  readonly tracerSleeps: number;
  readonly machineSleeps: number;
  readonly vcpus: readonly ParkingVcpuWords[];
}

export function parkingModel(options: ParkingModelOptions): Model {
  const layout = new WordLayout();
  const firstCommand = options.parks === 0 ? RUN : PARK;
  const shared: ParkingWords = {
    epoch: layout.word('epoch'),
    command: layout.word('command', firstCommand),
    version: layout.word('version', 1),
    promised: layout.word('promised'),
    isRelied: layout.word('isRelied'),
    tracerSleeps: layout.word('tracerSleeps'),
    machineSleeps: layout.word('machineSleeps'),
    vcpus: Array.from({ length: options.vcpus }, (_, id) => ({
      state: layout.word(`vCPU${id}.state`, PARKED),
      acknowledged: layout.word(`vCPU${id}.acknowledged`),
      changes: layout.word(`vCPU${id}.changes`),
      epochSeen: layout.word(`vCPU${id}.epochSeen`),
      checked: layout.word(`vCPU${id}.checked`),
      seen: layout.word(`vCPU${id}.seen`, 1),
      isLeaving: layout.word(`vCPU${id}.isLeaving`),
      isAsleep: layout.word(`vCPU${id}.isAsleep`),
    })),
  };
  const vcpus = shared.vcpus.map(
    (vcpu, id) => new Thread(layout, `vCPU ${id}`, vcpuSteps(id, vcpu, shared, options.mutation)),
  );
  const tracer = new Thread(layout, 'tracer', tracerSteps(layout, shared, options));
  const machine = new Thread(layout, 'machine', machineSteps(layout, shared, options));
  return {
    layout,
    moves: [...vcpus, tracer, machine].flatMap((thread) => thread.moves),
    isFinal: (words) => tracer.isAt(words, 'end') && machine.isAt(words, 'end'),
    violation(words) {
      for (const [id, { checked }] of shared.vcpus.entries()) {
        if (words[checked] === 0) continue;
        if (words[checked]! < words[shared.promised]!) return `vCPU ${id} slipped past a grace period`;
        if (words[shared.isRelied] === 1) return `vCPU ${id} is in a slice of a parked guest`;
      }
      return undefined;
    },
  };
}

function vcpuSteps(
  id: number,
  vcpu: ParkingVcpuWords,
  shared: ParkingWords,
  mutation?: ParkingMutation,
): Step[] {
  const { epoch, command, version, tracerSleeps, machineSleeps } = shared;
  const epochFirst = mutation === 'epoch loaded before RUNNING is published';
  const commandFirst = mutation === 'command loaded before RUNNING is published';
  const wake = (words: Words, sleeper: number): void => {
    if (words[sleeper] === id + 1) words[sleeper] = 0;
  };
  const noteChange = (at: string, isNoted: boolean, then: string): Step[] => [
    { at, label: 'counts its change', run: (words) => (words[vcpu.changes]!++, `${at}, notify`) },
    {
      at: `${at}, notify`,
      label: 'notifies of its change',
      run: (words) => {
        if (isNoted) wake(words, tracerSleeps);
        return then;
      },
    },
  ];
  const check = (words: Words, from: number): string => {
    words[vcpu.seen] = words[from]!;
    words[vcpu.checked] = words[from]!;
    return 'use';
  };
  const publishRunning = (at: string, then: string): Step => ({
    at,
    label: 'publishes RUNNING',
    run: (words) => ((words[vcpu.state] = RUNNING), then),
  });
  return [
    {
      at: 'parked',
      label: 'loads the command',
      run: (words) => {
        if (words[command] === PARK) return 'wait';
        words[vcpu.isLeaving] = 1;
        return epochFirst ? 'pass' : 'leave';
      },
    },
    {
      at: 'wait',
      label: 'waits on the command',
      run: (words) => {
        if (words[command] !== PARK) return 'parked';
        words[vcpu.isAsleep] = 1;
        return 'asleep';
      },
    },
    { at: 'asleep', label: 'wakes', run: (words) => (words[vcpu.isAsleep] === 0 ? 'parked' : undefined) },
    publishRunning('leave', 'pass'),
    {
      at: 'pass',
      label: 'loads the epoch',
      run: (words) => {
        const isNew = words[epoch] !== words[vcpu.acknowledged];
        if (!isNew) return 'passed';
        words[vcpu.epochSeen] = words[epoch]!;
        words[vcpu.seen] = words[version]!;
        return 'acknowledge';
      },
    },
    {
      at: 'acknowledge',
      label: 'acknowledges the epoch',
      run: (words) => {
        words[vcpu.acknowledged] = words[vcpu.epochSeen]!;
        words[vcpu.epochSeen] = 0;
        return 'acknowledged';
      },
    },
    ...noteChange('acknowledged', mutation !== 'no notice of the acknowledgement', 'passed'),
    {
      at: 'passed',
      label: 'has passed its safepoint',
      run: (words) => (epochFirst && words[vcpu.isLeaving] === 1 ? 'leave late' : 'look'),
    },
    publishRunning('leave late', 'look'),
    {
      at: 'look',
      label: 'loads the command at its safepoint',
      run: (words) => {
        const isTrusted = commandFirst && words[vcpu.isLeaving] === 1;
        words[vcpu.isLeaving] = 0;
        return words[command] === RUN || isTrusted ? 'slice' : 'publish PARKED';
      },
    },
    { at: 'slice', label: 'checks the page', run: (words) => check(words, version) },
    { at: 'slice', label: 'checks the page, a stale load', run: (words) => check(words, vcpu.seen) },
    { at: 'use', label: 'uses the page', run: (words) => ((words[vcpu.checked] = 0), 'pass') },
    {
      at: 'publish PARKED',
      label: 'publishes PARKED',
      run: (words) => ((words[vcpu.state] = PARKED), 'notify PARKED'),
    },
    {
      at: 'notify PARKED',
      label: 'notifies of its state',
      run: (words) => {
        if (mutation !== 'no notice of the park') wake(words, machineSleeps);
        return 'note PARKED';
      },
    },
    ...noteChange('note PARKED', true, 'parked'),
  ];
}
