// A preload for a node under test: workers of the kind that a file names die soon after they are started.
// Loaded by `--import` in NODE_OPTIONS, in every thread; WORKER_DEATH is the file, which a test writes and removes.
import { existsSync, readFileSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

const file = process.env.WORKER_DEATH ?? '';
const doomed = !isMainThread && existsSync(file) ? readFileSync(file, 'utf8') : '';
const kind = isMainThread ? 'main' : kindOf(workerData ?? {});

if (doomed !== '' && doomed === kind) {
  if (kind === 'vcpu') dieInItsGuest();
  else
    setImmediate(() => {
      throw new Error('planted');
    });
}

function kindOf(own) {
  if ('vcpu' in own) return 'vcpu';
  if ('faults' in own && 'placementGate' in own) return 'fetcher';
  return 'receivedBytes' in own ? 'receiver' : 'other';
}

// It looks at the clock in every slice, and seldom before it runs.
function dieInItsGuest() {
  const { now } = performance;
  let looks = 0;
  performance.now = () => {
    if (++looks > 1000) throw new Error('planted');
    return now.call(performance);
  };
}
