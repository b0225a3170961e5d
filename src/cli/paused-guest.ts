// How somebody lets a paused guest go on: SIGCONT. Knows the process and its machine, not where the guest came from.
import type { ChildProcess } from 'node:child_process';
import { messageOf } from '../shared/errors.js';
import type { GuestMachine } from '../shared/guest/machine.js';

/** What a user is told of a guest that is paused. */
export const howToGoOn = `it is paused; SIGCONT to process ${process.pid} lets it go on`;

/** Lets `machine` go on at SIGCONT, if it is paused then. Answers how to stop listening. */
export function goOnWhenTold(
  machine: GuestMachine,
  told: { readonly say: (text: string) => void },
): () => void {
  const goOn = (): void => {
    if (!machine.isPaused) return;
    machine.setPaused(false).then(
      () => {
        told.say('the guest goes on');
      },
      (error: unknown) => {
        told.say(`the guest cannot go on: ${messageOf(error)}`);
      },
    );
  };
  process.on('SIGCONT', goOn);
  return () => {
    process.off('SIGCONT', goOn);
  };
}

/** A guest in a process of its own hears of it as well. */
export function passContinueOn(child: ChildProcess): void {
  const goOn = (): void => {
    child.kill('SIGCONT');
  };
  process.on('SIGCONT', goOn);
  child.once('exit', () => {
    process.off('SIGCONT', goOn);
  });
}
