// Answers with all entries of a map, bucket by bucket, in as many slices as that takes.
// Nobody else's command comes in between, so the map stays as it is.
import type { HashMap } from '../../state/hash-map.js';
import { STEP_ELEMENTS, type Kit } from './kit.js';

/** Looking at an empty bucket costs less than answering with an entry. */
const STEP_BUCKETS = 512;

/** Answers a command's share of a walk: `replies` for each entry are said with `tell`. */
export function createWalk({
  progress,
  reply,
  isReplyLong,
}: Kit): (map: HashMap | undefined, replies: number, tell: (entry: number) => void) => boolean {
  return (map, replies, tell) => {
    if (map === undefined) {
      reply.array(0);
      return true;
    }
    if (progress.at === 0) {
      reply.array(map.count * replies);
      progress.at = 1;
    }
    let left = STEP_ELEMENTS;
    for (let buckets = STEP_BUCKETS; buckets > 0 && left > 0; buckets--) {
      progress.a = map.scan(progress.a, (entry) => {
        tell(entry);
        left--;
      });
      if (progress.a === 0) return true;
      if (isReplyLong()) break;
    }
    return false;
  };
}
