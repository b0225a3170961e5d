// The books of the ledger guest: where its accounts lie, what they open with, and the words that all of its vCPUs share.
// Knows places and sums of one page; who transfers what, and when, is ledger.ts's.
import type { GuestMemory } from '../../memory/guest-memory.js';
import { PAGE_BYTES } from '../../memory/pages.js';
import { Mutex, MUTEX_BYTES } from '../state/mutex.js';
import { f64, i32, record, room, u32 } from '../state/record.js';
import type { PagePlaces } from './page-places.js';
import { fillPattern, startsFree, WORDS_PER_PAGE } from './pattern.js';
import { mix32 } from './random.js';

/** What a page of accounts begins with: the lock of all of them. */
const HEAD_BYTES = 64;

/** An account. Its last word, and what is left of the head, are never written after the boot. */
export const Account = record({
  balance: f64,
  /** The number of the last transfer that it took part in. */
  last: f64,
  /** How many there were. */
  moves: u32,
  /** The sum (mod 2^32) of what each of them was stamped with. */
  stamps: i32,
  /** Made from all of these, so that a torn write shows; 0 while there were none. */
  check: i32,
  background: i32,
});

export const ACCOUNTS_PER_PAGE = (PAGE_BYTES - HEAD_BYTES) / Account.byteCount;

/** What vCPUs share beside accounts, on the first resident page. */
export const Office = record({
  /** What all balances add up to. */
  total: f64,
  /** Pages below this one have been visited by the walk that adds balances up while the guest runs. */
  frontier: u32,
  /** Walks that found another total, and the last one that they found. */
  failures: u32,
  foundTotal: f64,
  /** For each of 64 vCPUs: what its transfers carried over the frontier since the walk began. */
  corrections: room(8 * 64),
});

/** The first page of accounts; the one before is the office. */
export const FIRST_PAGE = 1;

export class Books {
  readonly pageCount: number;
  readonly seed: number;
  readonly #gpaOf: (page: number) => number;

  constructor(places: PagePlaces, seed: number) {
    this.pageCount = places.pageCount;
    this.seed = seed;
    this.#gpaOf = places.gpaOf;
  }

  get officeGpa(): number {
    return this.#gpaOf(0);
  }

  /** Where the page of that number lies. */
  gpaOf(page: number): number {
    return this.#gpaOf(page);
  }

  lockOf(memory: GuestMemory, page: number): Mutex {
    return new Mutex(memory, this.#gpaOf(page));
  }

  /** Where the account of that number in the page lies. */
  accountGpa(page: number, slot: number): number {
    return this.#gpaOf(page) + HEAD_BYTES + slot * Account.byteCount;
  }

  /** What an account has at first: nothing in a page that starts free. */
  openingOf(page: number, slot: number): number {
    return startsFree(page, this.seed)
      ? 0
      : 100 + (mix32(accountNumber(page, slot) ^ Math.imul(this.seed, 0x632be59b)) & 0xffff);
  }

  /** Fills `words` with what a page of accounts starts with. */
  fillPage(words: Int32Array, page: number): void {
    fillPattern(words, page, this.seed);
    words.fill(0, 0, MUTEX_BYTES / 4);
    const doubles = new Float64Array(words.buffer);
    for (let slot = 0; slot < ACCOUNTS_PER_PAGE; slot++) {
      const at = HEAD_BYTES + slot * Account.byteCount;
      words.fill(0, at / 4, (at + Account.background.offset) / 4);
      doubles[at / 8] = this.openingOf(page, slot);
    }
  }

  /** Fills `words` with what the office's page starts with. */
  fillOffice(words: Int32Array): void {
    fillPattern(words, 0, this.seed);
    words.fill(0, 0, Office.byteCount / 4);
  }

  sumOfPage(memory: GuestMemory, page: number): number {
    let sum = 0;
    const first = this.accountGpa(page, 0);
    for (let slot = 0; slot < ACCOUNTS_PER_PAGE; slot++) {
      sum += Account.balance.load(memory, Account.at(first, slot));
    }
    return sum;
  }

  /** The background of a page with the fields of its accounts as they are in `actual`, and their checks as they must be. */
  expectPage(words: Int32Array, page: number, actual: Int32Array): void {
    this.fillPage(words, page);
    words.set(actual.subarray(0, MUTEX_BYTES / 4));
    const doubles = new Float64Array(actual.buffer, actual.byteOffset, WORDS_PER_PAGE / 2);
    for (let slot = 0; slot < ACCOUNTS_PER_PAGE; slot++) {
      const at = HEAD_BYTES / 4 + slot * WORDS_PER_ACCOUNT;
      const moves = actual[at + MOVES]!;
      // An account that nobody ever used is as it was opened.
      if (moves === 0) continue;
      words.set(actual.subarray(at, at + CHECK), at);
      const [balance, last] = [doubles[at / 2]!, doubles[at / 2 + 1]!];
      const check = checkOf(accountNumber(page, slot), balance, last, moves >>> 0, actual[at + STAMPS]!);
      words[at + CHECK] = Number.isInteger(balance) && Number.isInteger(last) ? check : ~check;
    }
  }
}

const WORDS_PER_ACCOUNT = Account.byteCount / 4;
const [MOVES, STAMPS, CHECK] = [Account.moves, Account.stamps, Account.check].map(
  ({ offset }) => offset / 4,
) as [number, number, number];

export function accountNumber(page: number, slot: number): number {
  return page * ACCOUNTS_PER_PAGE + slot;
}

export function checkOf(
  account: number,
  balance: number,
  last: number,
  moves: number,
  stamps: number,
): number {
  let check = mix32(account + Math.imul(moves, 0x9e3779b1));
  check = mix32(check + folded(balance) + Math.imul(stamps, 0x85ebca77));
  return mix32(check + folded(last)) | 1 | 0;
}

/** Both halves of a whole number; the audit sees that it is whole. */
function folded(value: number): number {
  return (value + Math.imul(Math.floor(value / 2 ** 32), 0x85ebca6b)) | 0;
}
