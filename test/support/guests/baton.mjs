// A guest that holds a lock until it is moved, with one vCPU in the queue for it and one that waits for a condition. It knows
// that it was moved by the process that it runs in, which no guest should care about.
import { Condition } from '../../../dist/shared/guest/state/condition.js';
import { Mutex } from '../../../dist/shared/guest/state/mutex.js';
import { i32, record } from '../../../dist/shared/guest/state/record.js';

const LOCK = 4096;
const MOVED = 4128;
const Stage = record({ isAwaited: i32, isHeld: i32, wasMoved: i32, came: i32 });
const STAGE = 4160;

// Registers.
const PROCESS = 0;
const HAS_ENDED = 1;

export default {
  name: 'baton',
  memory: '8MiB',
  vcpus: 3,
  boot({ registers }) {
    registers[0][PROCESS] = process.pid;
  },
  runSlice(vcpu) {
    const { memory, registers, id } = vcpu;
    const lock = new Mutex(memory, LOCK);
    const moved = new Condition(memory, MOVED);
    vcpu.haltUntil(vcpu.nowUs() + 1000);
    if (registers[HAS_ENDED] === 1) return;
    if (id === 0) runHolder(vcpu, lock, moved);
    else if (id === 1) {
      if (Stage.isHeld.load(memory, STAGE) === 1 && lock.lock(vcpu)) come(vcpu, lock);
    } else if (!moved.isWaiting(vcpu) && lock.lock(vcpu)) {
      Stage.isAwaited.store(memory, STAGE, 1);
      if (Stage.wasMoved.load(memory, STAGE) === 0) moved.wait(vcpu, lock);
      else come(vcpu, lock);
    }
  },
  audit({ memory }) {
    const owner = new Mutex(memory, LOCK).owner;
    const came = Stage.came.load(memory, STAGE);
    const isRight = Stage.isHeld.load(memory, STAGE) === 1 && (came === 2 || owner >= 0);
    return {
      passed: isRight,
      checked: 1,
      failed: isRight ? 0 : 1,
      findings: isRight ? [] : [`vCPU ${owner} holds the lock after ${came} came`],
    };
  },
};

function runHolder({ memory, registers, id }, lock, moved) {
  if (Stage.isHeld.load(memory, STAGE) === 0) {
    if (Stage.isAwaited.load(memory, STAGE) === 1 && lock.lock({ id })) Stage.isHeld.store(memory, STAGE, 1);
    return;
  }
  if (registers[PROCESS] === process.pid) return;
  const waits = moved.isWaiting({ id: 2, nowUs: () => 0, haltUntil: () => undefined });
  console.log(
    `moved with the lock of vCPU ${lock.owner}, in its queue: ${lock.isAwaitedBy({ id: 1 })}, waiting: ${waits}`,
  );
  Stage.wasMoved.store(memory, STAGE, 1);
  moved.signal();
  lock.unlock({ id });
  registers[HAS_ENDED] = 1;
}

function come(vcpu, lock) {
  const came = Stage.came.load(vcpu.memory, STAGE) + 1;
  Stage.came.store(vcpu.memory, STAGE, came);
  lock.unlock(vcpu);
  vcpu.registers[HAS_ENDED] = 1;
  if (came === 2) console.log('both came');
}
