// Which pages of a guest that leaves go ahead of all others: what its devices touch first, in their order.
import { describe, expect, it } from 'vitest';
import { pagesAhead } from '../../src/source/tracer/pages-ahead.js';
import { deviceWindowsOf } from '../../src/shared/guest/devices/device-windows.js';
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { StreamPorts } from '../../src/shared/guest/devices/stream-ports.js';
import type { DeviceSpec } from '../../src/shared/guest/guest-program.js';
import { createGuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';

const RING_PAGES = 2;
const PAGES_MAX = 100;
const service: DeviceSpec = {
  name: 'echo',
  kind: 'service',
  connections: 3,
  ringBytes: RING_PAGES * PAGE_BYTES,
};
const console: DeviceSpec = { name: 'console', kind: 'console', connections: 1, ringBytes: PAGE_BYTES };

function guestWith(devices: readonly DeviceSpec[], memoryBytes = 8 << 20) {
  const spec = { memoryBytes, devices };
  const views = viewMemory(allocateMemory(memoryBytes));
  const memory = createGuestMemory(views, { pageFires: 0, waitForPage: () => undefined });
  const windows = deviceWindowsOf(spec);
  const lacking = new PageBitmap(views.pageCount);
  lacking.fill();
  const ahead = (): number[] => pagesAhead(spec, views, lacking, lacking.count(), PAGES_MAX);
  return { spec, views, memory, windows, lacking, ahead };
}

describe('pages that go ahead', () => {
  it('are none of a guest without devices', () => {
    expect(guestWith([]).ahead()).toEqual([]);
  });

  it('are the slots of a service, and of each connection the pages where its rings are filled and emptied', () => {
    const { memory, windows, ahead, spec } = guestWith([service]);
    const ports = new StreamPorts(memory, windows[0]!);
    ports.open();
    const slot = ports.open()!;
    ports.put(slot, new Uint8Array(PAGE_BYTES + 5));
    new GuestDevices(memory, spec).service('echo').read(slot, new Uint8Array(3));
    const slots = windows[0]!.gpa / PAGE_BYTES;
    const rings = slots + 1;
    const second = rings + 2 * RING_PAGES;
    expect(ahead()).toEqual([
      slots,
      rings,
      rings + RING_PAGES,
      // It goes in at the second page, comes out of the first, and nothing was answered.
      second + 1,
      second,
      second + RING_PAGES,
    ]);
  });

  it('are those of a console where it is written and typed', () => {
    const { windows, ahead } = guestWith([console]);
    const words = windows[0]!.gpa / PAGE_BYTES;
    expect(ahead()).toEqual([words, words + 1, words + 2]);
  });

  it('are none that are there, and all that lack when those are few, the urgent ones first', () => {
    const { windows, lacking, ahead } = guestWith([service]);
    lacking.clear();
    const slots = windows[0]!.gpa / PAGE_BYTES;
    for (const page of [3, 900, slots]) lacking.add(page);
    expect(ahead()).toEqual([slots, 3, 900]);
    lacking.remove(slots);
    expect(ahead()).toEqual([3, 900]);
  });

  it('are no more than are asked for', () => {
    const many = { ...service, connections: 300 };
    const { memory, windows, ahead } = guestWith([many], 32 << 20);
    const ports = new StreamPorts(memory, windows[0]!);
    for (let slot = 0; slot < many.connections; slot++) ports.open();
    expect(ahead()).toHaveLength(PAGES_MAX);
  });

  it('are found in segments by the slots of their regions', () => {
    const memoryBytes = 8 * 2 ** 30;
    const { memory, windows, views, lacking, ahead } = guestWith([service], memoryBytes);
    lacking.clear();
    // Touched first, so its region has the first slot.
    memory.store32(windows[0]!.gpa, 0);
    const region = (windows[0]!.gpa / PAGE_BYTES) >>> 9;
    const slot = Array.from({ length: views.regions.count }, (_, at) => at).find(
      (at) => views.regions.regionAt(at) === region,
    )!;
    const page = slot * 512 + ((windows[0]!.gpa / PAGE_BYTES) % 512);
    lacking.add(page);
    expect(ahead()).toEqual([page]);
  });
});
