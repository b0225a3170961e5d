// A guest that has a say in its migrations. What it is asked and told stands in registers of vCPU 0 and in its log; what it
// answers is in register 0 when it is booted from its seed, and may be changed there while it runs.
/** What it may do when it is asked. */
export const CONDUCT = {
  READY: 1,
  /** Asks for a moment twice, and is ready then. */
  DELAYS_TWICE: 2,
  /** Always asks for a moment more. */
  DELAYS: 3,
  /** Vetoes once, and is ready the next time. */
  VETOES_ONCE: 4,
  THROWS: 5,
  /** Its slice takes longer than it is asked. */
  HANGS: 6,
  PROMISES: 7,
  POWERS_OFF: 8,
};

/** Registers of vCPU 0. */
export const AT = {
  CONDUCT: 0,
  ASKED: 1,
  WAITED_MS: 2,
  LEFT_MS: 3,
  TOLD: 4,
  MOVED: 5,
  STOOD_STILL_MS: 6,
  FIRST: 7,
};

const PAGE_BYTES = 4096;
const PAGES = 256;

function answer(vcpu) {
  const { registers } = vcpu;
  switch (registers[AT.CONDUCT]) {
    case CONDUCT.DELAYS_TWICE:
      return registers[AT.ASKED] <= 2 ? { delayMs: 150 } : undefined;
    case CONDUCT.DELAYS:
      return { delayMs: 20 };
    case CONDUCT.VETOES_ONCE:
      registers[AT.CONDUCT] = CONDUCT.READY;
      return { veto: 'the books are open' };
    case CONDUCT.THROWS:
      throw new Error('it would rather not be asked');
    case CONDUCT.HANGS:
      for (const until = Date.now() + 1500; Date.now() < until;);
      return undefined;
    case CONDUCT.PROMISES:
      return Promise.resolve();
    case CONDUCT.POWERS_OFF:
      return vcpu.powerOff('it would rather end');
    default:
      return undefined;
  }
}

export default {
  name: 'asked',
  memory: '2MiB',
  vcpus: 2,
  create: ({ seed }) => ({
    boot({ memory, registers }) {
      registers[0][AT.CONDUCT] = seed;
      for (let page = 0; page < PAGES; page++) memory.store32(page * PAGE_BYTES, page + 1);
    },
    runSlice(vcpu) {
      const { id, registers, memory } = vcpu;
      // Whether it had been told anything before its first slice on this host.
      if (id === 0 && registers[AT.FIRST] === 0) registers[AT.FIRST] = registers[AT.TOLD] > 0 ? 2 : 1;
      memory.store32(id * PAGE_BYTES + 8, memory.load32(id * PAGE_BYTES + 8) + 1);
      vcpu.countWork(1);
      // Half of the time it sleeps until something wakes it, as one that only serves does.
      vcpu.haltUntil(id === 0 ? Infinity : vcpu.nowUs() + 1000);
    },
    beforeMigration(vcpu, { waitedMs, leftMs }) {
      const { registers } = vcpu;
      registers[AT.ASKED]++;
      registers[AT.WAITED_MS] = waitedMs;
      registers[AT.LEFT_MS] = leftMs;
      registers[AT.FIRST] = 0;
      console.log(`asked ${registers[AT.ASKED]}`);
      return answer(vcpu);
    },
    afterMigration({ registers }, { moved, stoodStillMs, host }) {
      registers[AT.TOLD]++;
      registers[AT.MOVED] = moved ? 1 : 0;
      registers[AT.STOOD_STILL_MS] = stoodStillMs;
      console.log(`told moved ${moved}, stood still ${stoodStillMs > 0}, at a host ${host.length > 0}`);
    },
    audit({ memory }) {
      let failed = 0;
      for (let page = 0; page < PAGES; page++) if (memory.load32(page * PAGE_BYTES) !== page + 1) failed++;
      return { passed: failed === 0, checked: PAGES, failed, findings: [] };
    },
  }),
};
