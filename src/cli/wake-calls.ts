// How somebody asks for an attempt now: SIGUSR2, or a key on the terminal. Knows the process, not what is attempted.
import { sleepUnless } from '../shared/timers.js';
import type { AttemptSurroundings } from './attempts.js';

const KEY = 'm';

/** What a user is told. */
const howToTryNow = process.stdin.isTTY
  ? `${KEY} and Enter, or SIGUSR2 to process ${process.pid}, tries now`
  : `SIGUSR2 to process ${process.pid} tries now`;

/** What attempts have of this process, until `signal` is aborted. */
export function attemptsHere(signal: AbortSignal): Pick<AttemptSurroundings, 'wait' | 'signal' | 'howToTry'> {
  return { wait: (ms, ended) => sleepUnless(ended, ms), signal, howToTry: howToTryNow };
}

/** Whoever waits for a call. */
const waiting = new Set<() => void>();
let stopListening = (): void => undefined;

/** Calls `onCall` at each SIGUSR2, and at each line with the key. Answers how to stop listening. */
export function onWakeCall(onCall: () => void): () => void {
  waiting.add(onCall);
  if (waiting.size === 1)
    stopListening = listen(() => {
      for (const call of [...waiting]) call();
    });
  return () => {
    waiting.delete(onCall);
    if (waiting.size === 0) stopListening();
  };
}

function listen(onCall: () => void): () => void {
  process.on('SIGUSR2', onCall);
  const stopKeys = process.stdin.isTTY ? onKey(onCall) : undefined;
  return () => {
    process.off('SIGUSR2', onCall);
    stopKeys?.();
  };
}

// Line by line, so that the terminal stays as it is and Ctrl-C is what it was.
function onKey(onCall: () => void): () => void {
  const { stdin } = process;
  const onData = (text: Buffer | string): void => {
    if (String(text).trim().toLowerCase() === KEY) onCall();
  };
  const ignore = (): void => undefined;
  // A job in the background that reads from its terminal is stopped by default, and its guest with it.
  process.on('SIGTTIN', ignore);
  stdin.on('error', ignore);
  stdin.on('data', onData);
  stdin.unref();
  return () => {
    stdin.off('data', onData);
    stdin.pause();
    process.off('SIGTTIN', ignore);
  };
}
