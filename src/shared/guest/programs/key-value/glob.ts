// Patterns of KEYS and SCAN: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before what is meant as it is.
// One way back at a time, so no pattern takes longer than its length times that of the key.
import type { HashMap } from '../../state/hash-map.js';
import { copyOut } from '../../state/key-bytes.js';
import type { Kit } from './kit.js';

const ASTERISK = 42;
const QUESTION = 63;
const BRACKET = 91;
const BRACKET_END = 93;
const BACKSLASH = 92;
const CARET = 94;
const DASH = 45;

/** Answers whether the key of an entry matches the pattern that an argument is. */
export function createGlob({
  memory,
  request,
}: Kit): (map: HashMap, entry: number, argument: number) => boolean {
  let key = new Uint8Array(256);
  return (map, entry, argument) => {
    const from = request.starts[argument]!;
    const length = request.lengths[argument]!;
    if (length === 1 && request.bytes[from] === ASTERISK) return true;
    const keyBytes = map.keyLength(entry);
    if (keyBytes > key.length) key = new Uint8Array(2 * keyBytes);
    copyOut(memory, map.keyGpa(entry), key, 0, keyBytes);
    return matchesGlob(request.bytes, from, from + length, key, keyBytes);
  };
}

function matchesGlob(
  pattern: Uint8Array,
  patternFrom: number,
  patternEnd: number,
  key: Uint8Array,
  keyEnd: number,
): boolean {
  let place = patternFrom;
  let at = 0;
  // Where the last asterisk was, and up to where it was taken to stand.
  let starPlace = -1;
  let starAt = 0;
  for (;;) {
    if (place < patternEnd && pattern[place] === ASTERISK) {
      starPlace = ++place;
      starAt = at;
      continue;
    }
    if (at === keyEnd) return place === patternEnd;
    const next = place < patternEnd ? matchOne(pattern, place, patternEnd, key[at]!) : -1;
    if (next >= 0) {
      place = next;
      at++;
      continue;
    }
    if (starPlace < 0) return false;
    place = starPlace;
    at = ++starAt;
  }
}

/** The place after what `byte` matches; -1 when it does not. */
function matchOne(pattern: Uint8Array, place: number, end: number, byte: number): number {
  const first = pattern[place]!;
  if (first === QUESTION) return place + 1;
  if (first === BRACKET) return matchClass(pattern, place + 1, end, byte);
  if (first === BACKSLASH && place + 1 < end) return pattern[place + 1] === byte ? place + 2 : -1;
  return first === byte ? place + 1 : -1;
}

function matchClass(pattern: Uint8Array, from: number, end: number, byte: number): number {
  let place = from;
  const isNegated = pattern[place] === CARET;
  if (isNegated) place++;
  let isFound = false;
  // A class that is not closed ends with the pattern.
  for (; place < end && pattern[place] !== BRACKET_END; place++) {
    if (pattern[place] === BACKSLASH && place + 1 < end) {
      if (pattern[++place] === byte) isFound = true;
    } else if (place + 2 < end && pattern[place + 1] === DASH) {
      const low = Math.min(pattern[place]!, pattern[place + 2]!);
      const high = Math.max(pattern[place]!, pattern[place + 2]!);
      if (byte >= low && byte <= high) isFound = true;
      place += 2;
    } else if (pattern[place] === byte) isFound = true;
  }
  if (isFound === isNegated) return -1;
  return Math.min(place + 1, end);
}
