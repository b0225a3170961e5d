// A program that imports microstun, starts a guest, a node and a migration between them, says so, and closes nothing.
// Plain JavaScript on what is built: it is killed, as programs of other people are.
import { startGuest, startNode } from '../../dist/library/index.js';

const node = await startNode();
const guest = await startGuest({ memory: '8MiB', vcpus: 1 });
for await (const { kind, phase } of guest.migrate({ to: node.address, bandwidth: '1Mbit' }))
  if (kind === 'phase' && phase === 'copying') console.log('migrating');
