// A model of what a resumed guest finds: the fetcher marks, restores and commands RUN, while vCPUs look at the command and
// a receiver brings pushed pages. Plain stores land when they like, at the latest at their thread's next Atomics operation.
import { Thread, WordLayout, type Model, type Move, type Step } from '../explorer.js';

export type ResumeMutation =
  | 'RUN before the registers'
  | 'RUN before the marks'
  | 'RUN stored plainly'
  | 'handed over before the marks'
  | 'handed over after RUN';

/** Everything that the fetcher stores, in its order; `isAtomic`: with Atomics. */
type Store = readonly [name: 'announced' | 'late' | 'lacking' | 'registers' | 'command', isAtomic: boolean];

const ANNOUNCED: Store = ['announced', false];
const LATE: Store = ['late', false];
const LACKING: Store = ['lacking', true];
const REGISTERS: Store = ['registers', false];
const RUN: Store = ['command', true];

function storesOf(mutation?: ResumeMutation): readonly Store[] {
  switch (mutation) {
    case 'RUN before the registers':
      return [ANNOUNCED, LATE, LACKING, RUN, REGISTERS];
    case 'RUN before the marks':
      return [ANNOUNCED, LACKING, REGISTERS, RUN, LATE];
    case 'RUN stored plainly':
      return [ANNOUNCED, LATE, LACKING, REGISTERS, ['command', false]];
    case 'handed over before the marks':
      return [ANNOUNCED, LACKING, LATE, REGISTERS, RUN];
    case 'handed over after RUN':
      return [ANNOUNCED, LATE, REGISTERS, RUN, LACKING];
    default:
      return [ANNOUNCED, LATE, LACKING, REGISTERS, RUN];
  }
}

export function resumeModel(vcpus: number, mutation?: ResumeMutation): Model {
  const layout = new WordLayout();
  const stores = storesOf(mutation);
  const words = new Map(stores.map(([name]) => [name, layout.word(name)]));
  const pending = new Map(stores.map(([name]) => [name, layout.word(`pending.${name}`)]));
  const finding = layout.word('finding');
  const found = ['', 'a vCPU sees a page that it lacks as present', 'a vCPU runs with old registers'];
  found.push('a pushed page is thrown away', 'a vCPU runs in a guest that receivers overwrite');

  const fetcher = new Thread(
    layout,
    'fetcher',
    stores.map(([name, isAtomic], index): Step => ({
      at: `store ${index}`,
      label: `stores ${name}`,
      run: (state) => {
        const then = index + 1 === stores.length ? 'end' : `store ${index + 1}`;
        if (!isAtomic) state[pending.get(name)!] = 1;
        else if ([...pending.values()].some((word) => state[word] === 1)) return undefined;
        else state[words.get(name)!] = 1;
        return then;
      },
    })),
  );
  const vcpuSteps: Step[] = [
    {
      at: 'parked',
      label: 'loads RUN',
      run: (state) => (state[words.get('command')!] === 1 ? 'slice' : undefined),
    },
    {
      at: 'slice',
      label: 'runs a slice',
      run: (state) => {
        if (state[words.get('registers')!] === 0) state[finding] = 2;
        else if (state[words.get('announced')!] === 0 || state[words.get('late')!] === 0) state[finding] = 1;
        else if (state[words.get('lacking')!] === 0) state[finding] = 4;
        return 'end';
      },
    },
  ];
  const receiver = new Thread(layout, 'receiver', [
    {
      at: 'begin',
      label: 'looks whether the guest is handed over',
      run: (state) => (state[words.get('lacking')!] === 1 ? 'place' : undefined),
    },
    {
      at: 'place',
      label: 'looks whether the page is absent',
      run: (state) => {
        if (state[words.get('announced')!] === 0 || state[words.get('late')!] === 0) state[finding] = 3;
        return 'end';
      },
    },
  ]);
  const threads = Array.from({ length: vcpus }, (_, id) => new Thread(layout, `vCPU ${id}`, vcpuSteps));
  const landings = [...pending].map(([name, word]): Move => ({
    label: `${name} lands`,
    apply: (state) => {
      if (state[word] === 0) return false;
      state[word] = 0;
      state[words.get(name)!] = 1;
      return true;
    },
  }));
  const all = [fetcher, receiver, ...threads];
  return {
    layout,
    moves: [...all.flatMap((thread) => thread.moves), ...landings],
    violation: (state) => (state[finding] === 0 ? undefined : found[state[finding]!]),
    isFinal: (state) => all.every((thread) => thread.isAt(state, 'end')),
  };
}
