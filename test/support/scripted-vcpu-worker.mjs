// A vCPU that makes one ordered store a slice and stops inside of its page fires: after the mark, before the store.
// Imports what was built; its gate's words are named in tracer-gate.ts.
import { workerData } from 'node:worker_threads';
import { createGuestMemory } from '../../dist/shared/memory/guest-memory.js';
import { viewMemory } from '../../dist/shared/memory/layout.js';
import { Command } from '../../dist/shared/memory/safepoint-words.js';
import { VcpuSafepoint } from '../../dist/shared/memory/vcpu-safepoint.js';

const { machine, stores, gate, words } = workerData;

// The barrier is the count of page fires, which GuestMemory adds to when it has fired and not yet stored.
let pageFires = 0;
const memory = createGuestMemory(viewMemory(machine.memory), {
  waitForPage: (page) => {
    throw new Error(`page ${page} is absent`);
  },
  get pageFires() {
    return pageFires;
  },
  set pageFires(fires) {
    pageFires = fires;
    Atomics.store(gate, words.FIRED, fires);
    Atomics.notify(gate, words.FIRED);
    for (let open = Atomics.load(gate, words.FIRES_LET_GO); open < fires;) {
      Atomics.wait(gate, words.FIRES_LET_GO, open);
      open = Atomics.load(gate, words.FIRES_LET_GO);
    }
  },
});

const safepoint = new VcpuSafepoint(machine.safepointWords, 0);
let command = safepoint.park();
for (let done = 0; command === Command.RUN; command = safepoint.pass()) {
  if (Atomics.load(gate, words.ORDERED) === done) continue;
  const { gpa, value } = stores[done];
  memory.store32(gpa, value);
  done++;
  Atomics.store(gate, words.STORED, done);
}
if (command === Command.PARK) safepoint.park();
safepoint.exit();
