// A guest that takes more of its host than there is: it waits, and neither a grace period nor a park nor an exit waits
// for ever with it. With a real vCPU in a worker, and a host whose memory the test says.
import { afterEach, describe, expect, it } from 'vitest';
import { allocateMachine } from '../../src/shared/guest/shared-machine.js';
import { layOutSegments } from '../../src/shared/memory/layout.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { Command, VcpuState } from '../../src/shared/memory/safepoint-words.js';
import { TraceWork } from '../../src/shared/memory/tracing.js';
import { FixtureWorkers, sharedWords, until } from '../support/fixture-threads.js';

/** Words of the gate. */
const AVAILABLE_MIB = 0;
const TOUCHED = 1;
/** Slot 16 is the first that is looked for: fifteen regions have a slot by then. */
const BEFORE_LOOK = 15;

const workers = new FixtureWorkers();

afterEach(() => workers.terminate());

function startVcpu(availableMib: number, { boots = false, sliceMsMax = 20_000 } = {}) {
  const memoryBytes = 2 ** 40;
  const machine = allocateMachine(
    {
      program: 'replay',
      memoryBytes,
      vcpus: 1,
      seed: 1,
      writeRate: Infinity,
      hotSetBytes: 0,
      residentBytes: 0,
      devices: [],
    },
    layOutSegments(memoryBytes, 2000),
  );
  const gate = sharedWords(2);
  Atomics.store(gate, AVAILABLE_MIB, availableMib);
  const control = new SafepointControl(machine.safepointWords, { sliceMsMax });
  const worker = workers.start('room-vcpu-worker.mjs', { machine, gate, boots });
  const isWaiting = (): boolean =>
    Atomics.load(gate, TOUCHED) === BEFORE_LOOK && control.state(0) === VcpuState.FAULTING;
  return { control, gate, worker, isWaiting };
}

describe('a guest that touches more than its host has', () => {
  it('waits, lets grace periods pass, and goes on when there is room', async () => {
    const { control, gate, isWaiting } = startVcpu(159);
    control.command(Command.RUN);
    await until(isWaiting);
    for (let turn = 0; turn < 3; turn++) control.waitForGracePeriod();
    expect(Atomics.load(gate, TOUCHED)).toBe(BEFORE_LOOK);
    Atomics.store(gate, AVAILABLE_MIB, 160);
    await until(() => Atomics.load(gate, TOUCHED) > 40);
    control.command(Command.EXIT);
    await until(() => control.state(0) === VcpuState.EXITED);
  });

  it('ends its slice with what is kept for that when it is to park', async () => {
    const { control, gate, isWaiting } = startVcpu(64);
    control.command(Command.RUN);
    await until(isWaiting);
    control.command(Command.PARK);
    await control.parked();
    expect(Atomics.load(gate, TOUCHED)).toBe(BEFORE_LOOK + 1);
  });

  it('ends its slice with what is kept for that when it is to stop for trace work', async () => {
    const { control, isWaiting } = startVcpu(64);
    control.command(Command.RUN);
    await until(isWaiting);
    control.stopAndTrace(TraceWork.INSTALL);
    control.command(Command.EXIT);
    await until(() => control.state(0) === VcpuState.EXITED);
  });

  it('is not parked where nothing is left, says why, and parks once there is', async () => {
    const { control, gate, isWaiting } = startVcpu(63, { sliceMsMax: 400 });
    control.command(Command.RUN);
    await until(isWaiting);
    control.command(Command.PARK);
    // It looks for more memory ten times a second, and is seen awake then.
    await expect(control.parked()).rejects.toThrow(
      /vCPU 0 has (waited for memory of its host|been in one slice)/,
    );
    expect(Atomics.load(gate, TOUCHED)).toBe(BEFORE_LOOK);
    Atomics.store(gate, AVAILABLE_MIB, 64);
    await control.parked();
    expect(Atomics.load(gate, TOUCHED)).toBe(BEFORE_LOOK + 1);
  });

  it('exits while it waits, and that is no failure of the guest', async () => {
    const { control, isWaiting, worker } = startVcpu(0);
    control.command(Command.RUN);
    await until(isWaiting);
    control.command(Command.EXIT);
    expect(await worker.ended()).toBe(0);
  });

  it('waits in its boot as well, whatever the command is, and ends that when it is to exit', async () => {
    const { control, gate, isWaiting } = startVcpu(64, { boots: true });
    await until(isWaiting);
    for (let turn = 0; turn < 3; turn++) control.waitForGracePeriod();
    expect(Atomics.load(gate, TOUCHED)).toBe(BEFORE_LOOK);
    control.command(Command.EXIT);
    await until(() => control.state(0) === VcpuState.EXITED);
  });
});
