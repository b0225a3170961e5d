// What a hand-over must be before anything of it is used: a bitmap of this guest's pages, and the pages that it promised.
// Pure: what the source said in, the pages that are lacking out.
import { ProtocolError } from '../shared/errors.js';
import { BitmapError, expand } from '../shared/memory/compacted-bitmap.js';
import type { PageBitmap } from '../shared/memory/page-bitmap.js';

/**
 * The pages of an encoded bitmap, for a guest of `pageCount` pages.
 * @throws ProtocolError saying what is wrong with it.
 */
export function expandBitmap(bitmap: Uint8Array, pageCount: number): PageBitmap {
  try {
    return expand(bitmap, pageCount);
  } catch (error) {
    if (!(error instanceof BitmapError)) throw error;
    throw new ProtocolError(error.message, { cause: error });
  }
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
