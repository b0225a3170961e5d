// The ledger: vCPUs transfer money between accounts under locks in guest memory, and its total never changes.
// Knows who pays whom and how much in a slice; what a transfer does is ledger-turns.ts's.
import { MicrostunError } from '../../errors.js';
import type { GuestFactory, GuestSpec, Machine, Vcpu } from '../guest-program.js';
import { auditLedger } from './ledger-audit.js';
import { ACCOUNTS_PER_PAGE, Books, FIRST_PAGE, Office } from './ledger-books.js';
import { Phase, Register } from './ledger-registers.js';
import { advance, beginWalk, finish } from './ledger-turns.js';
import { paceFor } from './pacing.js';
import { placesOf } from './page-places.js';
import { WORDS_PER_PAGE } from './pattern.js';
import { below, nextRandom, seedRandom } from './random.js';

const BATCH_MAX = 64;
/** The office, and a page of accounts. */
const PAGES_MIN = 2;
const AMOUNT_MAX = 1000;
/** One in so many transfers goes to an account that everybody pays to, so that locks are waited for. */
const POPULAR_EVERY = 16;
const POPULAR_PAGES = 4;
/** A vCPU that has asked so often for a lock halts for so long before it asks again. */
const WAITS_MAX = 200;
const WAIT_US = 100;
/** One in so many turns of vCPU 0 visits a page to add it up. */
const VISIT_EVERY = 4;

export const ledger: GuestFactory = (spec) => {
  const pace = paceFor(spec, BATCH_MAX, Register.DUE);
  const places = placesOf(spec);
  if (places.pageCount < PAGES_MIN) {
    throw new MicrostunError(
      'GUEST_FAILED',
      `the ledger needs ${PAGES_MIN} pages of memory: one for what its vCPUs share, and one of accounts`,
    );
  }
  const books = new Books(places, spec.seed);
  return {
    boot(machine) {
      openBooks(machine, books, spec);
    },
    runSlice(vcpu) {
      // What the slice before left half done or waits for comes first: it has locks, or is in the queue for one.
      if (goOn(vcpu, books) && pace.mayRun(vcpu)) vcpu.countWork(workThrough(vcpu, books, pace.batch));
    },
    audit: (machine) => auditLedger(machine, books, places),
  };
};

function openBooks({ memory, registers }: Machine, books: Books, { seed }: GuestSpec): void {
  const words = new Int32Array(WORDS_PER_PAGE);
  const bytes = new Uint8Array(words.buffer);
  books.fillOffice(words);
  memory.write(books.officeGpa, bytes);
  let total = 0;
  for (let page = FIRST_PAGE; page < books.pageCount; page++) {
    books.fillPage(words, page);
    memory.write(books.gpaOf(page), bytes);
    for (let slot = 0; slot < ACCOUNTS_PER_PAGE; slot++) total += books.openingOf(page, slot);
  }
  Office.total.store(memory, books.officeGpa, total);
  beginWalk(memory, books, registers[0]!);
  registers.forEach((values, vcpu) => {
    values[Register.RANDOM] = seedRandom(seed, vcpu);
  });
}

/** Finishes the turn that was begun, if any was; answers whether the vCPU is free for the next. */
function goOn(vcpu: Vcpu, books: Books): boolean {
  const phase = vcpu.registers[Register.PHASE];
  if (phase === Phase.IDLE) return true;
  if (phase !== Phase.CREDITING) {
    const pages = advance(vcpu, books);
    if (pages === 0) {
      waitOn(vcpu);
      return false;
    }
    vcpu.registers[Register.WAITS] = 0;
    vcpu.countWork(pages);
  }
  finish(vcpu, books);
  return true;
}

// Whoever has the lock needs a core to let it go: after a while its core is left to others.
function waitOn(vcpu: Vcpu): void {
  if (++vcpu.registers[Register.WAITS]! > WAITS_MAX) vcpu.haltUntil(vcpu.nowUs() + WAIT_US);
}

/**
 * Takes turns until so many pages are written; answers how many were. The last transfer is debited and not credited: the
 * slice ends with its locks held and its amount in a register, so that every stop finds vCPUs in the middle of something.
 */
function workThrough(vcpu: Vcpu, books: Books, pages: number): number {
  let written = 0;
  for (;;) {
    beginTurn(vcpu, books);
    const pagesOfTurn = advance(vcpu, books);
    written += pagesOfTurn;
    if (pagesOfTurn === 0 || written >= pages) return written;
    finish(vcpu, books);
  }
}

function beginTurn({ registers, id }: Vcpu, { pageCount }: Books): void {
  const turn = ++registers[Register.TURNS]!;
  if (id === 0 && turn % VISIT_EVERY === 0) {
    registers[Register.PHASE] = Phase.VISITING;
    return;
  }
  let random = registers[Register.RANDOM]!;
  const draw = (count: number): number => below((random = nextRandom(random)), count);
  const pages = pageCount - FIRST_PAGE;
  const fromPage = FIRST_PAGE + draw(pages);
  const fromSlot = draw(ACCOUNTS_PER_PAGE);
  const isPopular = draw(POPULAR_EVERY) === 0;
  const toPage = FIRST_PAGE + draw(isPopular ? Math.min(POPULAR_PAGES, pages) : pages);
  const toSlot = isPopular ? 0 : draw(ACCOUNTS_PER_PAGE);
  registers[Register.FROM_PAGE] = fromPage;
  registers[Register.FROM_SLOT] = fromSlot;
  registers[Register.TO_PAGE] = toPage;
  // Nobody pays to himself.
  registers[Register.TO_SLOT] =
    fromPage === toPage && fromSlot === toSlot ? (toSlot + 1) % ACCOUNTS_PER_PAGE : toSlot;
  registers[Register.AMOUNT] = 1 + draw(AMOUNT_MAX);
  registers[Register.RANDOM] = random;
  registers[Register.PHASE] = Phase.LOCKING_FIRST;
}
