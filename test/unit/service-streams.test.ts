// The rings of a service: what one side puts in, the other takes out, whatever lies in between; no wake-up is forgotten.
import { beforeEach, describe, expect, it } from 'vitest';
import { deviceWindowsOf } from '../../src/shared/guest/devices/device-windows.js';
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { SlotStatus } from '../../src/shared/guest/devices/slot-words.js';
import { StreamPorts } from '../../src/shared/guest/devices/stream-ports.js';
import type { ServiceStreams } from '../../src/shared/guest/devices/streams.js';
import { createGuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';
import { Chance } from '../support/simulated-world.js';

const RING_BYTES = 4096;
const spec = {
  memoryBytes: 1 << 20,
  devices: [{ name: 'echo', kind: 'service' as const, connections: 3, ringBytes: RING_BYTES }],
};

let devices: GuestDevices;
let streams: ServiceStreams;
let ports: StreamPorts;

beforeEach(() => {
  const memory = createGuestMemory(viewMemory(allocateMemory(spec.memoryBytes)), {
    pageFires: 0,
    waitForPage: () => undefined,
  });
  devices = new GuestDevices(memory, spec);
  streams = devices.service('echo');
  ports = new StreamPorts(memory, deviceWindowsOf(spec)[0]!);
});

function bytesFrom(from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => (from + index) % 251);
}

function takeAll(slot: number): Uint8Array {
  const bytes = new Uint8Array(ports.waiting(slot));
  ports.peek(slot, bytes);
  ports.release(slot, bytes.length);
  return bytes;
}

describe('a connection of a service', () => {
  it('carries bytes both ways, in pieces of any length, over the end of its rings many times', () => {
    const chance = new Chance(5);
    const slot = ports.open()!;
    const totals = { put: 0, read: 0, written: 0, taken: 0 };
    for (let step = 0; step < 1500; step++) {
      totals.put += ports.put(slot, bytesFrom(totals.put, chance.between(0, RING_BYTES + 10)));
      const target = new Uint8Array(chance.between(0, RING_BYTES + 10));
      const read = streams.read(slot, target);
      expect(Buffer.compare(target.subarray(0, read), bytesFrom(totals.read, read))).toBe(0);
      totals.read += read;
      totals.written += streams.write(slot, bytesFrom(totals.written, chance.between(0, RING_BYTES + 10)));
      const taken = takeAll(slot);
      expect(Buffer.compare(taken, bytesFrom(totals.taken, taken.length))).toBe(0);
      totals.taken += taken.length;
    }
    expect(totals.written).toBe(totals.taken);
    expect(totals.put).toBe(totals.read + streams.readable(slot));
    expect(totals.put).toBeGreaterThan(100 * RING_BYTES);
  });

  it('lets bytes be looked at before they are consumed, and again', () => {
    const slot = ports.open()!;
    ports.put(slot, bytesFrom(0, 10));
    const target = new Uint8Array(4);
    expect(streams.peek(slot, target)).toBe(4);
    expect(streams.peek(slot, target)).toBe(4);
    streams.consume(slot, 3);
    streams.peek(slot, target);
    expect([...target]).toEqual([3, 4, 5, 6]);
    expect(streams.readable(slot)).toBe(7);
  });

  it('has the device rung for room only while bytes wait for that', () => {
    const slot = ports.open()!;
    ports.put(slot, bytesFrom(0, 100));
    streams.consume(slot, 50);
    expect(devices.isTouched).toBe(false);
    expect(ports.put(slot, bytesFrom(0, RING_BYTES))).toBe(RING_BYTES - 50);
    streams.consume(slot, 50);
    expect(devices.isTouched).toBe(true);
    devices.isTouched = false;
    // All that waited is in.
    ports.put(slot, bytesFrom(0, 50));
    streams.consume(slot, 50);
    expect(devices.isTouched).toBe(false);
  });

  it('has vCPUs woken for room once, where a write was cut short', () => {
    const slot = ports.open()!;
    expect(streams.write(slot, bytesFrom(0, RING_BYTES))).toBe(RING_BYTES);
    expect(ports.release(slot, 10)).toBe(false);
    expect(streams.write(slot, bytesFrom(0, 11))).toBe(10);
    expect(ports.release(slot, 10)).toBe(true);
    expect(ports.release(slot, 10)).toBe(false);
  });

  it('is free, open, ended, closed by the guest, and only then free for the next, which begins anew', () => {
    expect(streams.state(0)).toBe('free');
    const slot = ports.open()!;
    expect(streams.state(slot)).toBe('open');
    ports.put(slot, bytesFrom(0, 20));
    ports.setStatus(slot, SlotStatus.ENDED);
    expect([streams.state(slot), streams.readable(slot)]).toEqual(['ended', 20]);
    streams.write(slot, bytesFrom(0, 5));
    streams.close(slot);
    expect([streams.state(slot), ports.isClosed(slot), ports.waiting(slot)]).toEqual(['free', true, 5]);
    expect(ports.status(slot)).toBe(SlotStatus.ENDED);
    ports.free(slot);
    expect(ports.open({ gateway: 7, stream: 2 ** 32 - 1 })).toBe(slot);
    expect([streams.state(slot), streams.readable(slot), ports.waiting(slot)]).toEqual(['open', 0, 0]);
    expect(ports.carrier(slot)).toEqual({ gateway: 7, stream: 2 ** 32 - 1 });
  });

  it('is not to be had when all slots are taken', () => {
    expect([ports.open(), ports.open(), ports.open(), ports.open()]).toEqual([0, 1, 2, undefined]);
    ports.free(1);
    expect(ports.open()).toBe(1);
  });
});

describe('the devices of a guest', () => {
  it('are reached by the names that it declares, and by their kinds', () => {
    expect(() => devices.service('redis')).toThrow(/no service "redis"; it declares service "echo"/);
    expect(() => devices.console()).toThrow(/no console "console"/);
    expect(devices.service('echo')).toBe(streams);
  });
});
