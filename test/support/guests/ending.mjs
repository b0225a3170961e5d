// A guest that ends as it is told by the environment: how, in which process, and when.
// ENDING: throw, exit, power-off, loop, halt, memory, crash. ENDING_WHEN: first (slice here), later (the 50th), audit, or a
// file that appears.
import { existsSync } from 'node:fs';

const { ENDING = '', ENDING_WHEN = '' } = process.env;
const PAGE_BYTES = 4096;
const PAGES = 1024;

/** In this process. */
let slices = 0;

function isDue() {
  slices++;
  if (ENDING === '' || ENDING_WHEN === 'audit') return false;
  if (ENDING_WHEN === 'first') return true;
  return ENDING_WHEN === 'later' ? slices > 50 : existsSync(ENDING_WHEN);
}

function end(vcpu) {
  const hoard = [];
  switch (ENDING) {
    case 'throw':
      throw new Error('it threw');
    case 'exit':
      return process.exit(3);
    case 'power-off':
      return vcpu.powerOff('it has had enough');
    case 'loop':
      for (;;);
    case 'halt':
      return vcpu.haltUntil(Infinity);
    case 'memory':
      for (;;) hoard.push(new Array(1e6).fill(slices));
    case 'crash':
      process.kill(process.pid, 'SIGSEGV');
      for (;;);
    default:
      throw new Error(`ENDING=${ENDING} is none`);
  }
}

export default {
  name: 'ending',
  memory: '8MiB',
  vcpus: 1,
  boot({ memory }) {
    // Nothing compresses it, and nothing of it is zero.
    for (let word = 0; word < (PAGES * PAGE_BYTES) / 4; word++)
      memory.store32(4 * word, Math.imul(word, 0x9e3779b1) | 1);
  },
  runSlice(vcpu) {
    vcpu.memory.store32(PAGE_BYTES * (slices % PAGES), slices | 1);
    vcpu.countWork(1);
    vcpu.haltUntil(vcpu.nowUs() + 2000);
    if (isDue()) end(vcpu);
  },
  audit() {
    if (ENDING_WHEN === 'audit') end({});
    return { passed: true, checked: PAGES, failed: 0, findings: [] };
  },
};
