// Guests that throw or hang in a slice while they are traced: nobody waits for them for ever. With real vCPU workers.
import { afterEach, describe, expect, it } from 'vitest';
import { allocateMachine } from '../../src/shared/guest/shared-machine.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { Command, VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { TracerThread } from '../../src/source/tracer/tracer-thread.js';
import { COMPACTED, faultPeerOf, IGNORED } from '../support/fault-peer.js';
import { FixtureWorkers, sharedWords, until } from '../support/fixture-threads.js';

const MEMORY_BYTES = 64 * PAGE_BYTES;

const workers = new FixtureWorkers();

afterEach(() => workers.terminate());

describe('a guest that misbehaves while it is traced', () => {
  // vCPU 0 does `how` in its next slice once the gate opens; vCPU 1 runs on.
  function startMisbehaving(how: string) {
    const machine = allocateMachine({
      program: 'replay',
      memoryBytes: MEMORY_BYTES,
      vcpus: 2,
      seed: 1,
      writeRate: Infinity,
      hotSetBytes: 0,
      residentBytes: 0,
      devices: [],
    });
    const gate = sharedWords(3);
    const control = new SafepointControl(machine.safepointWords);
    workers.start('misbehaving-vcpu-worker.mjs', { machine, vcpu: 0, how, gate });
    workers.start('misbehaving-vcpu-worker.mjs', { machine, vcpu: 1, how: 'runs on', gate });
    control.command(Command.RUN);
    const opened = async (): Promise<void> => {
      await until(() => Atomics.load(gate, 0) > 0);
      Atomics.store(gate, 1, 1);
      await until(() => Atomics.load(gate, 2) === 1);
    };
    return { machine, control, opened };
  }

  it.each(['dedicated', 'all-vcpus'] as const)(
    'a vCPU that throws holds up no trace work, and is not parked: %s',
    async (mode) => {
      const { machine, control, opened } = startMisbehaving('throws');
      const gate = allocateHandOverGate();
      const tracer = new TracerThread(machine, mode, gate, IGNORED);
      await opened();
      await until(() => control.state(0) === VcpuState.EXITED);
      const installed = tracer.installTraces();
      if (mode === 'all-vcpus') await expect(installed).rejects.toMatchObject({ code: 'GUEST_FAILED' });
      else await installed;
      const peer = await faultPeerOf(tracer);
      new HandOverGate(gate).open();
      await expect(tracer.switchOver(COMPACTED)).rejects.toMatchObject({
        code: 'GUEST_FAILED',
        message: expect.stringMatching(/vCPU 0/) as string,
      });
      await tracer.removeTraces();
      await control.resume();
      expect(new HandOverGate(gate).shut()).toBe(true);
      await peer.leave('at once');
      await tracer.close();
    },
  );

  it.each(['dedicated', 'all-vcpus'] as const)(
    'an endless slice holds up neither the removal of traces nor the end of the tracer: %s',
    async (mode) => {
      const { machine, opened } = startMisbehaving('loops for ever');
      const gate = allocateHandOverGate();
      const tracer = new TracerThread(machine, mode, gate, IGNORED);
      await opened();
      const installed = tracer.installTraces().then(
        () => 'installed',
        (error: unknown) => error,
      );
      await tracer.removeTraces();
      expect(await installed).toMatchObject({ code: 'CANCELLED' });
      await tracer.close();
    },
  );
});
