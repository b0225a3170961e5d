// What a hand-over must be before anything of it is used.
// Pure: a message in, the pages that are lacking out.
import { ProtocolError } from '../../shared/errors.js';
import { checkpointFault } from '../../shared/guest/checkpoint.js';
import type { GuestSpec } from '../../shared/guest/guest-program.js';
import { expand, type BitmapError } from '../../shared/memory/compacted-bitmap.js';
import type { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../shared/memory/pages.js';
import type { MessageOf } from '../../shared/wire/messages.js';

/** A hand-over that may be used. */
export interface CheckedHandOver {
  readonly lacking: PageBitmap;
  readonly lackingPages: number;
}

/**
 * Checks all of `handOver` for a guest.
 * @throws ProtocolError saying what is wrong with it.
 */
export function checkHandOver(guest: GuestSpec, handOver: MessageOf<'HAND_OVER'>): CheckedHandOver {
  const fault = checkpointFault(handOver, guest.vcpus);
  if (fault !== undefined) throw new ProtocolError(`the checkpoint is wrong: ${fault}`);
  const lacking = expandOf(handOver, guest);
  const lackingPages = lacking.count();
  if (!handOver.pagesFollow && handOver.finalPages !== lackingPages) {
    throw new ProtocolError(`the bitmap names ${lackingPages} pages, the hand-over ${handOver.finalPages}`);
  }
  return { lacking, lackingPages };
}

/**
 * Checks the last round of a pre-copy: `checked` are its pages that came CHECKED, and must be those that were lacking.
 * @throws ProtocolError naming a page that came and was not lacking, or lacks still.
 */
export function checkLastRound(lacking: PageBitmap, checked: PageBitmap): void {
  const word = lacking.words.findIndex((one, index) => one !== checked.words[index]);
  if (word === -1) return;
  const differing = lacking.words[word]! ^ checked.words[word]!;
  const page = word * 32 + (31 - Math.clz32(differing & -differing));
  throw new ProtocolError(
    lacking.has(page)
      ? `the last round did not bring page ${page}, or not with its check, and the hand-over names it`
      : `the last round brought page ${page}, which the hand-over does not name`,
  );
}

function expandOf({ bitmap }: MessageOf<'HAND_OVER'>, { memoryBytes }: GuestSpec): PageBitmap {
  try {
    return expand(bitmap, memoryBytes / PAGE_BYTES);
  } catch (error) {
    throw new ProtocolError((error as BitmapError).message, { cause: error });
  }
}
