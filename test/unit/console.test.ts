// A console: its scroll-back is what was written last, whoever looks and whenever; what is typed waits for the guest.
import { beforeEach, describe, expect, it } from 'vitest';
import { ConsolePort, type ConsoleStream } from '../../src/shared/guest/devices/console.js';
import { CONSOLE_INPUT_BYTES } from '../../src/shared/guest/devices/console-words.js';
import { deviceWindowsOf } from '../../src/shared/guest/devices/device-windows.js';
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { createGuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';

const RING_BYTES = 4096;
const spec = {
  memoryBytes: 1 << 20,
  devices: [{ name: 'console', kind: 'console' as const, connections: 1, ringBytes: RING_BYTES }],
};
let stream: ConsoleStream;
let port: ConsolePort;

beforeEach(() => {
  const memory = createGuestMemory(viewMemory(allocateMemory(spec.memoryBytes)), {
    pageFires: 0,
    waitForPage: () => undefined,
  });
  stream = new GuestDevices(memory, spec).console();
  port = new ConsolePort(memory, deviceWindowsOf(spec)[0]!);
});

const textSince = (seen: number): string => Buffer.from(port.since(seen).bytes).toString();

describe('a console', () => {
  it('shows what was written, and then what follows', () => {
    stream.write('hello, ');
    expect(textSince(port.oldest)).toBe('hello, ');
    const seen = port.written;
    stream.write('I count ½');
    expect(textSince(seen)).toBe('I count ½');
    expect(textSince(port.oldest)).toBe('hello, I count ½');
  });

  it.each([RING_BYTES - 1, RING_BYTES, RING_BYTES + 1, 3 * RING_BYTES + 5])(
    'keeps the end of %d bytes',
    (total) => {
      let text = '';
      for (let line = 0; text.length < total; line++) text += `${line}\n`;
      text = text.slice(0, total);
      for (let at = 0; at < total; at += 100) stream.write(text.slice(at, at + 100));
      expect(textSince(port.oldest)).toBe(text.slice(-RING_BYTES));
    },
  );

  it('takes a text that is longer than its scroll-back, and keeps the end', () => {
    const text = 'ab'.repeat(RING_BYTES);
    stream.write(text);
    expect(textSince(port.oldest)).toBe(text.slice(-RING_BYTES));
  });

  it('shows all of its scroll-back to who has missed more than that', () => {
    stream.write('x');
    const seen = port.written;
    stream.write('y'.repeat(2 * RING_BYTES));
    expect(textSince(seen)).toBe('y'.repeat(RING_BYTES));
  });

  it('holds what is typed until the guest takes it, as far as there is room', () => {
    const typed = Buffer.alloc(CONSOLE_INPUT_BYTES + 7, 'k');
    expect(port.type(typed)).toBe(CONSOLE_INPUT_BYTES);
    const target = new Uint8Array(10);
    expect(stream.read(target)).toBe(10);
    expect(port.type(Buffer.from('end'))).toBe(3);
    const rest = new Uint8Array(2 * CONSOLE_INPUT_BYTES);
    const byteCount = stream.read(rest);
    expect(Buffer.from(rest.subarray(0, byteCount)).toString()).toBe(
      'k'.repeat(CONSOLE_INPUT_BYTES - 10) + 'end',
    );
    expect(stream.read(rest)).toBe(0);
  });
});
