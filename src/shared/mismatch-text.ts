// What is said of pages that are not what the source had at the hand-over, on either side.
// Knows numbers only.
import { formatCount } from './units.js';

/** Named before it is only said how many more there are. */
const NAMED_MAX = 8;

export function mismatchText({
  mismatchedPages,
  mismatched,
}: {
  readonly mismatchedPages: number;
  readonly mismatched: readonly number[];
}): string {
  const named = mismatched.slice(0, NAMED_MAX);
  const more = mismatchedPages - named.length;
  const pages = `${mismatchedPages === 1 ? 'page' : 'pages'} ${named.join(', ')}${more > 0 ? ` and ${formatCount(more)} more` : ''}`;
  return `${pages} of the guest ${mismatchedPages === 1 ? 'is' : 'are'} not what the source had at the hand-over; do not trust the guest, and start it anew`;
}
