// A guest that throws: in its boot when its seed is 0, or else when its clock reads half a second.
// Counts meanwhile, so that a migration of it has something to do.
export default {
  name: 'quitter',
  memory: '8MiB',
  vcpus: 1,
  create({ seed }) {
    return {
      boot() {
        if (seed === 0) throw new Error('it would not begin');
      },
      runSlice(vcpu) {
        if (vcpu.nowUs() > 500_000) throw new Error('it had enough');
        vcpu.registers[0] += 1;
        vcpu.memory.storeF64(4096, vcpu.registers[0]);
        vcpu.haltUntil(vcpu.nowUs() + 1000);
      },
    };
  },
};
