// A guest that says hello and counts. Its pages are written one after the other, round and round, each with the newest count.
// All that it knows lies in guest memory and in registers: so it can be moved between any two slices, and counts on.
import { defineGuest } from 'microstun/guest';

const PAGE_BYTES = 4096;
/** The first page says hello; the others are counted on. */
const HELLO = new TextEncoder().encode('hello, I count');
/** The register that holds the count. */
const COUNT = 0;

export default defineGuest({
  name: 'my-guest',
  memory: '16MiB',
  vcpus: 1,

  // Once in its life, before any slice: fills fresh memory.
  boot({ memory }) {
    memory.write(0, HELLO);
  },

  // One bounded piece of work, well under 100 µs; it may be stopped, and moved, before the next.
  runSlice(vcpu) {
    const count = vcpu.registers[COUNT] + 1;
    vcpu.memory.storeF64(pageOf(count, vcpu.memory.pageCount) * PAGE_BYTES, count);
    vcpu.registers[COUNT] = count;
    vcpu.countWork(1);
    // A wish: it may be woken early. Take it away, and it counts flat out.
    vcpu.haltUntil(vcpu.nowUs() + 50);
  },

  // A migration would stop it now. Nothing returned: it may; `{ delayMs: 50 }`: ask again; `{ veto: 'why' }`: not now.
  beforeMigration() {
    return undefined;
  },

  // Where it is now, before its first slice there; or that it stays, if it was asked.
  afterMigration(vcpu, { moved, stoodStillMs, host }) {
    if (moved) console.log(`hello from ${host}: I stood still for ${stoodStillMs.toFixed(1)} ms`);
  },

  // Checks the whole guest while it stands still: a page that was lost on the way, or is old, must make it fail.
  audit({ memory, registers }) {
    const findings = [];
    const hello = new Uint8Array(HELLO.length);
    memory.read(0, hello);
    if (!hello.every((byte, at) => byte === HELLO[at])) findings.push('page 0 does not say hello');
    for (let page = 1; page < memory.pageCount; page++) {
      const found = memory.loadF64(page * PAGE_BYTES);
      const wanted = newestCountOf(page, registers[0][COUNT], memory.pageCount);
      if (found !== wanted) findings.push(`page ${page} holds ${found}, and should hold ${wanted}`);
    }
    return {
      passed: findings.length === 0,
      checked: memory.pageCount,
      failed: findings.length,
      findings: findings.slice(0, 10),
    };
  },
});

/** The page that is written when the guest counts to `count`. */
function pageOf(count, pageCount) {
  return 1 + ((count - 1) % (pageCount - 1));
}

/** What `page` holds once the guest has counted to `count`; 0 where it has not been written yet. */
function newestCountOf(page, count, pageCount) {
  if (count < page) return 0;
  return count - ((count - page) % (pageCount - 1));
}
