// A guest that answers every client with what it said, and tells on its console how it fares: the smallest with devices.
// Keeps nothing but counts, in registers.
import type { DeviceSpec, GuestFactory, Vcpu } from '../guest-program.js';

// Registers.
const NEXT_LINE_AT = 0;
const BYTES = 1;
const LINES = 2;

/** Between two lines on the console. */
const LINE_US = 1_000_000;
/** One slice moves no more. */
const BYTES_A_SLICE = 16384;

export const echoDevices: readonly DeviceSpec[] = [
  { name: 'console', kind: 'console', connections: 1, ringBytes: 16384 },
  { name: 'echo', kind: 'service', connections: 64, ringBytes: 16384 },
];

export const echo: GuestFactory = ({ vcpus }) => {
  const bytes = new Uint8Array(BYTES_A_SLICE);
  return {
    runSlice(vcpu) {
      if (vcpu.id === 0) tell(vcpu);
      const isBusy = answer(vcpu, vcpus, bytes);
      if (!isBusy) vcpu.haltUntil(vcpu.id === 0 ? vcpu.registers[NEXT_LINE_AT]! : Infinity);
    },
  };
};

function tell(vcpu: Vcpu): void {
  const { registers, devices } = vcpu;
  const now = vcpu.nowUs();
  if (now < registers[NEXT_LINE_AT]!) return;
  registers[NEXT_LINE_AT] = now + LINE_US;
  registers[LINES]!++;
  devices.console().write(`${registers[LINES]}: vCPU 0 has echoed ${registers[BYTES]} bytes\r\n`);
}

// Answers whether there may be more.
function answer(vcpu: Vcpu, vcpus: number, bytes: Uint8Array): boolean {
  const { id, registers, devices } = vcpu;
  const streams = devices.service('echo');
  let left = BYTES_A_SLICE;
  for (let slot = id; slot < streams.connections && left > 0; slot += vcpus) {
    const state = streams.state(slot);
    if (state === 'free') continue;
    if (state === 'lost') {
      streams.close(slot);
      continue;
    }
    const fitting = Math.min(left, streams.writable(slot));
    const byteCount = streams.peek(slot, bytes.subarray(0, fitting));
    streams.write(slot, bytes.subarray(0, byteCount));
    if (byteCount > 0) streams.consume(slot, byteCount);
    else if (state === 'ended' && streams.readable(slot) === 0) streams.close(slot);
    left -= byteCount;
    registers[BYTES]! += byteCount;
  }
  vcpu.countWork(Math.ceil((BYTES_A_SLICE - left) / 4096));
  return left < BYTES_A_SLICE;
}
