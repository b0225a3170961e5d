// What goes wrong in a simulation, and when: at any instant, or close to an event at which it matters most.
// How it goes wrong is simulation.ts.
import type { World } from './simulated-world.js';

/** Most things that go wrong by the clock do so before this instant, while migrations are under way. */
const EARLY_MS = 1500;

const misfortunes = [
  'cut control',
  'cut control',
  'cut pages',
  'cut pages',
  'cut all',
  'network down',
  'long partition',
  'stall source',
  'stall destination',
  'cancel at source',
  'cancel at destination',
  'kill source',
  'kill destination',
  'worker fails at source',
  'worker fails at destination',
  'a stranger comes',
  'guest throws at source',
  'guest throws at destination',
] as const;
export type Misfortune = (typeof misfortunes)[number];

/** Effects and events close to which things go wrong in the most interesting ways. */
const milestones = [
  'greet',
  'send-prepare',
  'ping',
  'install-traces',
  'copy-round',
  'harvest',
  'report-doubt',
  'prepared',
  'stop-guest',
  'hand-over',
  'validate',
  'validated',
  'round-placed',
  'resume',
  'resumed',
  'push',
  'all-arrived',
  'settled',
  'audited',
  'control-lost',
  'attached',
  'pages-lost',
  'release-guest',
  'end',
];

/** Has a few misfortunes befall. */
export function planMisfortunes(world: World, befall: (misfortune: Misfortune) => void): void {
  const { chance, clock } = world;
  const count = chance.pick([0, 1, 1, 2, 2, 3, 4, 6]);
  const awaited: { milestone: string; occurrences: number; act: () => void }[] = [];
  for (let made = 0; made < count; made++) {
    const misfortune = chance.pick(misfortunes);
    const act = (): void => {
      befall(misfortune);
    };
    if (chance.isTrue(0.3)) {
      clock.at(chance.next() * EARLY_MS, act);
      continue;
    }
    const delayMs = chance.isTrue(0.3) ? 0 : chance.delay(100);
    awaited.push({
      milestone: chance.pick(milestones),
      occurrences: chance.isTrue(0.7) ? 1 : chance.between(2, 4),
      act: () => {
        clock.at(clock.now + delayMs, act);
      },
    });
  }
  world.onMilestone = (name) => {
    for (const one of awaited) if (one.milestone === name && --one.occurrences === 0) one.act();
  };
}
