// Time as a driver of a simulation has it: the fake clock's, as its process lives it, stalls and death included.
import type { Time } from '../../src/shared/time.js';
import type { Process } from './simulated-world.js';

export function timeOf(process: Process): Time {
  const after: Time['after'] = (ms, elapsed) => {
    let isCancelled = false;
    // What is never is never: the fake clock keeps no appointment without a date.
    if (ms !== Infinity)
      process.after(ms, () => {
        if (!isCancelled) elapsed();
      });
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  };
  return {
    nowUs: () => process.world.clock.now * 1000,
    after,
    every: (ms, elapsed) => {
      let next = after(ms, turn);
      function turn(): void {
        next = after(ms, turn);
        elapsed();
      }
      return {
        cancel: () => {
          next.cancel();
        },
      };
    },
  };
}
