// Guest memory for tests of structures in it, where every page is there.
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory } from '../../src/shared/memory/layout.js';

export function memoryOf(byteCount: number): GuestMemory {
  return createGuestMemory(viewMemory(allocateMemory(byteCount)), {
    pageFires: 0,
    waitForPage: () => undefined,
  });
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function textAt(memory: GuestMemory, gpa: number, length: number): string {
  const bytes = new Uint8Array(length);
  memory.read(gpa, bytes);
  return new TextDecoder().decode(bytes);
}
