// A model of remote page faults: vCPUs that wait for pages against receivers that place them and wake who waits.
// Every Atomics.wait and notify of waitForPage and wakeFaulting is a step of its own; receivers may come at any time.
import { Thread, WordLayout, type Model, type Step, type Words } from '../explorer.js';

export type PageFaultMutation =
  | 'page checked before the fault is published'
  | 'doorbell loaded after the page is checked'
  | 'waiters sought before the page is placed'
  | 'doorbell not rung, only notified';

export interface PageFaultModelOptions {
  readonly vcpus: number;
  /** One receiver a page; every vCPU wants all pages, each in an order of its own. */
  readonly pages: number;
  readonly mutation?: PageFaultMutation;
}

const ABSENT = 1;

interface VcpuWords {
  /** The page it waits for, + 1; 0: none. */
  readonly faultPage: number;
  readonly doorbell: number;
  readonly isAsleep: number;
}

export function pageFaultModel({ vcpus, pages, mutation }: PageFaultModelOptions): Model {
  const layout = new WordLayout();
  const states = layout.words('page', pages, ABSENT);
  const words = Array.from({ length: vcpus }, (_, id): VcpuWords => ({
    faultPage: layout.word(`vCPU${id}.faultPage`),
    doorbell: layout.word(`vCPU${id}.doorbell`),
    isAsleep: layout.word(`vCPU${id}.isAsleep`),
  }));
  const threads = words.map(
    (vcpu, id) => new Thread(layout, `vCPU ${id}`, vcpuSteps(layout, id, vcpu, states, mutation)),
  );
  const receivers = states.map(
    (_, page) => new Thread(layout, `receiver ${page}`, receiverSteps(layout, page, words, states, mutation)),
  );
  const all = [...threads, ...receivers];
  return {
    layout,
    moves: all.flatMap((thread) => thread.moves),
    violation: () => undefined,
    isFinal: (state) => all.every((thread) => thread.isAt(state, 'end')),
  };
}

function vcpuSteps(
  layout: WordLayout,
  id: number,
  vcpu: VcpuWords,
  states: readonly number[],
  mutation?: PageFaultMutation,
): Step[] {
  const touched = layout.word(`vCPU${id}.touched`);
  const doorbellSeen = layout.word(`vCPU${id}.doorbellSeen`);
  const wanted = (words: Words): number => (words[touched]! + id) % states.length;
  const isHere = (words: Words): boolean => words[states[wanted(words)]!] !== ABSENT;

  const loadDoorbell = (at: string, then: string): Step => ({
    at,
    label: 'loads its doorbell',
    run: (words) => ((words[doorbellSeen] = words[vcpu.doorbell]!), then),
  });
  const publish = (at: string, then: string): Step => ({
    at,
    label: 'publishes its fault',
    run: (words) => ((words[vcpu.faultPage] = wanted(words) + 1), then),
  });
  const check = (at: string, then: string): Step => ({
    at,
    label: 'looks at the page again',
    run: (words) => (isHere(words) ? 'done' : then),
  });
  const prepare = ((): Step[] => {
    switch (mutation) {
      case 'page checked before the fault is published':
        return [loadDoorbell('fault', 'check'), check('check', 'publish'), publish('publish', 'wait')];
      case 'doorbell loaded after the page is checked':
        return [publish('fault', 'check'), check('check', 'bell'), loadDoorbell('bell', 'wait')];
      default:
        return [loadDoorbell('fault', 'publish'), publish('publish', 'check'), check('check', 'wait')];
    }
  })();
  return [
    {
      at: 'touch',
      label: 'touches a page',
      run: (words) => {
        if (!isHere(words)) return 'fault';
        words[touched]!++;
        return words[touched] === states.length ? 'end' : 'touch';
      },
    },
    ...prepare,
    {
      at: 'wait',
      label: 'waits on its doorbell',
      run: (words) => {
        if (words[vcpu.doorbell] !== words[doorbellSeen]) return 'done';
        words[vcpu.isAsleep] = 1;
        return 'asleep';
      },
    },
    { at: 'asleep', label: 'wakes', run: (words) => (words[vcpu.isAsleep] === 0 ? 'done' : undefined) },
    {
      at: 'done',
      label: 'withdraws its fault',
      run: (words) => {
        words[vcpu.faultPage] = 0;
        words[doorbellSeen] = 0;
        return 'touch';
      },
    },
  ];
}

function receiverSteps(
  layout: WordLayout,
  page: number,
  vcpus: readonly VcpuWords[],
  states: readonly number[],
  mutation?: PageFaultMutation,
): Step[] {
  const cursor = layout.word(`receiver${page}.vcpu`);
  const faultSeen = layout.word(`receiver${page}.faultSeen`);
  const placesLast = mutation === 'waiters sought before the page is placed';
  const vcpuOf = (words: Words): VcpuWords => vcpus[words[cursor]!]!;
  const next = (words: Words): string => {
    words[faultSeen] = 0;
    words[cursor]!++;
    if (words[cursor]! < vcpus.length) return 'look';
    return placesLast ? 'place late' : 'end';
  };
  const place = (at: string, then: string): Step => ({
    at,
    label: 'places its page',
    run: (words) => ((words[states[page]!] = 0), then),
  });
  return [
    placesLast ? { at: 'begin', label: 'begins', run: () => 'look' } : place('begin', 'look'),
    {
      at: 'look',
      label: 'loads a fault',
      run: (words) => {
        words[faultSeen] = words[vcpuOf(words).faultPage]!;
        return words[faultSeen] === 0 ? next(words) : 'compare';
      },
    },
    {
      at: 'compare',
      label: 'looks whether that page has arrived',
      run: (words) => {
        const faulted = words[faultSeen]! - 1;
        const hasArrived = words[states[faulted]!] !== ABSENT || (placesLast && faulted === page);
        return hasArrived ? 'ring' : next(words);
      },
    },
    {
      at: 'ring',
      label: 'rings the doorbell',
      run: (words) => {
        if (mutation !== 'doorbell not rung, only notified') words[vcpuOf(words).doorbell]!++;
        return 'notify';
      },
    },
    {
      at: 'notify',
      label: 'notifies the doorbell',
      run: (words) => {
        words[vcpuOf(words).isAsleep] = 0;
        return next(words);
      },
    },
    place('place late', 'end'),
  ];
}
