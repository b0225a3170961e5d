// A model of the placement gate: receivers that overwrite pages against a main thread that hands the guest over.
// Every Atomics operation of PlacementGate is a step of its own; the source may send a region at any time.
import { Thread, WordLayout, type Model, type Step } from '../explorer.js';

export type HandOverMutation =
  'gate looked at before counting' | 'count looked at before shutting' | 'not looked at again at placement';

export function handOverModel(receivers: number, mutation?: HandOverMutation): Model {
  const layout = new WordLayout();
  const isShut = layout.word('isShut');
  const inside = layout.word('inside');
  const isRunning = layout.word('isRunning');
  const writing = layout.words('writing', receivers);

  const receiver = (id: number): Step[] => {
    const count = (at: string, then: string): Step => ({
      at,
      label: 'counts itself',
      run: (words) => (words[inside]!++, then),
    });
    const look = (at: string, then: string, otherwise: string): Step => ({
      at,
      label: 'looks at the gate',
      run: (words) => (words[isShut] === 0 ? then : otherwise),
    });
    const enter = ((): Step[] => {
      switch (mutation) {
        case 'gate looked at before counting':
          return [look('head', 'count', 'end'), count('count', 'write')];
        case 'not looked at again at placement':
          return [look('head', 'write', 'end')];
        default:
          return [count('head', 'look'), look('look', 'write', 'undo')];
      }
    })();
    const leave = (at: string, then: string): Step => ({
      at,
      label: 'counts itself out',
      run: (words) => {
        if (mutation !== 'not looked at again at placement') words[inside]!--;
        return then;
      },
    });
    return [
      ...enter,
      {
        at: 'write',
        label: 'begins to overwrite pages',
        run: (words) => ((words[writing[id]!] = 1), 'done'),
      },
      { at: 'done', label: 'has overwritten them', run: (words) => ((words[writing[id]!] = 0), 'leave') },
      leave('leave', 'end'),
      leave('undo', 'end'),
    ];
  };
  const shut = (at: string, then: string): Step => ({
    at,
    label: 'shuts the gate',
    run: (words) => ((words[isShut] = 1), then),
  });
  const isQuiet = (at: string, then: string): Step => ({
    at,
    label: 'looks who is inside',
    run: (words) => (words[inside] === 0 ? then : 'refused'),
  });
  const main = new Thread(layout, 'main', [
    ...(mutation === 'count looked at before shutting'
      ? [isQuiet('begin', 'shut'), shut('shut', 'run')]
      : [shut('begin', 'look'), isQuiet('look', 'run')]),
    { at: 'run', label: 'runs the guest', run: (words) => ((words[isRunning] = 1), 'end') },
  ]);
  const threads = writing.map((_, id) => new Thread(layout, `receiver ${id}`, receiver(id)));
  return {
    layout,
    moves: [main, ...threads].flatMap((thread) => thread.moves),
    violation: (words) =>
      words[isRunning] === 1 && writing.some((word) => words[word] === 1)
        ? 'a running guest is overwritten'
        : undefined,
    isFinal: (words) =>
      (main.isAt(words, 'end') || main.isAt(words, 'refused')) &&
      threads.every((thread) => thread.isAt(words, 'end')),
  };
}
