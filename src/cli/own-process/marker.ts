// How a process of this program knows that it was started by another one for a guest that people bring.
// Knows the environment only; the mark is taken off, so that no process that this one starts has it.

const VARIABLE = 'MICROSTUN_OWN_PROCESS';

/** `command`: it runs a whole command whose guest people bring; `guest`: it takes such a guest for a destination. */
export type OwnProcess = 'command' | 'guest';

/** What this process was started for. */
export const ownProcess = read(process.env[VARIABLE]);
Reflect.deleteProperty(process.env, VARIABLE);

/** The environment of a process that is started for it. */
export function environmentFor(what: OwnProcess): NodeJS.ProcessEnv {
  return { ...process.env, [VARIABLE]: what };
}

/** Ends this process at once when whoever started it is gone: nobody is left who answers for it. */
export function endWithStarter(): void {
  process.on('disconnect', () => {
    process.kill(process.pid, 'SIGKILL');
  });
  // It is no work that keeps the process.
  process.channel?.unref();
}

// It is our own starter's word, but whoever started that may have set anything.
function read(text: string | undefined): OwnProcess | undefined {
  return process.send !== undefined && (text === 'command' || text === 'guest') ? text : undefined;
}
