// Which addresses of its window a device will touch first where its guest comes to: its words, and in each ring where
// bytes go in and come out. Pure: reads words of a parked guest; which of them lie in pages that lack is the caller's.
import { PAGE_BYTES } from '../../memory/pages.js';
import { ConsoleWord } from './console-words.js';
import type { DeviceWindow } from './device-windows.js';
import { serviceLayout, SlotStatus, SlotWord } from './slot-words.js';

/** Guest physical addresses, the words before the rings; `load32`: a word of the guest, whose pages are all there. */
export function* firstWanted(
  { device, gpa }: DeviceWindow,
  load32: (gpa: number) => number,
): Generator<number, void> {
  const { kind, connections, ringBytes } = device;
  if (kind === 'console') {
    yield gpa;
    yield gpa + PAGE_BYTES + (load32(gpa + ConsoleWord.WRITTEN) & (ringBytes - 1));
    yield gpa + PAGE_BYTES + ringBytes;
    return;
  }
  const layout = serviceLayout(gpa, connections, ringBytes);
  const ringAt = (slot: number, word: number): number =>
    load32(layout.slotGpa(slot) + word) & (ringBytes - 1);
  const slotsEnd = layout.slotGpa(connections);
  for (let page = gpa; page < slotsEnd; page += PAGE_BYTES) yield page;
  for (let slot = 0; slot < connections; slot++) {
    if (load32(layout.slotGpa(slot) + SlotWord.STATUS) === SlotStatus.FREE) continue;
    yield layout.inGpa(slot) + ringAt(slot, SlotWord.IN_HEAD);
    yield layout.inGpa(slot) + ringAt(slot, SlotWord.IN_TAIL);
    yield layout.outGpa(slot) + ringAt(slot, SlotWord.OUT_HEAD);
    yield layout.outGpa(slot) + ringAt(slot, SlotWord.OUT_TAIL);
  }
}
