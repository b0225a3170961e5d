// What this process may do when somebody started it under Node's permission model: said before it is tried, with the flag.
// Knows the model only; without it everything is allowed.
import { MicrostunError } from './errors.js';

/** @throws MicrostunError USAGE when this process may start no other; `what` has one of its own: 'a guest of your own'. */
export function refuseWithoutProcesses(what: string): void {
  if (isAllowed('child')) return;
  throw new MicrostunError(
    'USAGE',
    `${what} has a process of its own, and this one may start none: it runs under Node's permission model; add ` +
      '--allow-child-process to the flags of node, or leave its permission model out',
  );
}

/** @throws MicrostunError USAGE when this process may not read the file at `path`. */
export function refuseUnreadable(path: string): void {
  if (isAllowed('fs.read', path)) return;
  throw new MicrostunError(
    'USAGE',
    `this process may not read ${path}: it runs under Node's permission model; add --allow-fs-read=${path} to the flags of ` +
      'node, with the folder of whatever that file imports',
  );
}

function isAllowed(scope: string, reference?: string): boolean {
  // There is none in a process that runs without the model.
  const { permission } = process as { readonly permission?: NodeJS.ProcessPermission };
  return permission === undefined || permission.has(scope, reference);
}
