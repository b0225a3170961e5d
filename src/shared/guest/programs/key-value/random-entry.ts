// An entry of a map by chance: one of a bucket by chance that has some.
// A map shrinks as its entries go, so few buckets have to be looked at.
import type { HashMap } from '../../state/hash-map.js';

/** The map has an entry. `random` answers words of 32 bits. */
export function randomEntry(map: HashMap, random: () => number): number {
  const found: number[] = [];
  while (found.length === 0)
    map.scan(random(), (entry) => {
      found.push(entry);
    });
  return found[random() % found.length]!;
}
