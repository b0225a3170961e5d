// A guest as people bring it: it counts in memory and in a register, and its audit compares the two.
// Imports nothing: a plain object is a guest as well as what defineGuest answers.
export default {
  name: 'counter',
  memory: '8MiB',
  vcpus: 1,
  boot({ memory }) {
    memory.store32(4096, 0);
  },
  runSlice(vcpu) {
    vcpu.memory.store32(4096, vcpu.memory.load32(4096) + 1);
    vcpu.registers[0] += 1;
    vcpu.countWork(1);
    if (vcpu.registers[0] === 1) console.log('hello, I count');
    vcpu.haltUntil(vcpu.nowUs() + 1000);
  },
  audit({ memory, registers }) {
    const isRight = memory.load32(4096) === registers[0][0] && registers[0][0] > 0;
    return {
      passed: isRight,
      checked: 1,
      failed: isRight ? 0 : 1,
      findings: isRight ? [] : ['it lost count'],
    };
  },
};
