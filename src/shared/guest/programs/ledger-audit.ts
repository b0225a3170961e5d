// The audit of the ledger guest: every account is whole, nothing was lost of what was transferred, and no lock is left over.
// Knows the parked guest only; what it finds while it runs is the walk's (ledger-turns.ts).
import { PAGE_BYTES } from '../../memory/pages.js';
import type { AuditResult, Machine } from '../guest-program.js';
import { MUTEX_BYTES } from '../state/mutex.js';
import { Audit } from './audit.js';
import { Account, ACCOUNTS_PER_PAGE, FIRST_PAGE, Office, type Books } from './ledger-books.js';
import { pageAwaitedBy, pagesHeldBy, Phase, Register } from './ledger-registers.js';
import type { PagePlaces } from './page-places.js';
import { WORDS_PER_PAGE } from './pattern.js';
import { spotCheck } from './spot-check.js';

interface Sums {
  opened: number;
  total: number;
  moves: number;
  stamps: number;
}

export function auditLedger(machine: Machine, books: Books, places: PagePlaces): AuditResult {
  const audit = new Audit();
  const { memory, registers } = machine;
  const expected = new Int32Array(WORDS_PER_PAGE);
  const actual = new Int32Array(WORDS_PER_PAGE);
  const sums: Sums = { opened: 0, total: 0, moves: 0, stamps: 0 };
  const locked: number[] = [];
  memory.read(books.officeGpa, new Uint8Array(actual.buffer));
  books.fillOffice(expected);
  expected.set(actual.subarray(0, Office.byteCount / 4));
  audit.comparePage(books.officeGpa / PAGE_BYTES, expected, actual);
  for (let page = FIRST_PAGE; page < books.pageCount; page++) {
    const gpa = books.gpaOf(page);
    memory.read(gpa, new Uint8Array(actual.buffer));
    books.expectPage(expected, page, actual);
    audit.comparePage(gpa / PAGE_BYTES, expected, actual);
    addPage(machine, books, page, sums);
    if (actual.subarray(0, MUTEX_BYTES / 4).some((word) => word !== 0)) locked.push(page);
  }
  checkSums(machine, sums, audit);
  checkWalk(machine, books, audit);
  checkLocks(machine, books, locked, audit);
  for (const [vcpu, values] of registers.entries()) {
    for (const page of pagesHeldBy(values)) {
      const owner = books.lockOf(memory, page).owner;
      if (owner === vcpu) continue;
      audit.fail(
        `stores to page ${books.gpaOf(page) / PAGE_BYTES} were lost: vCPU ${vcpu} holds its lock, which ${owner < 0 ? 'nobody has' : `vCPU ${owner} has`}`,
      );
    }
  }
  spotCheck(memory, places, books.seed, audit);
  return audit.result();
}

function addPage({ memory }: Machine, books: Books, page: number, sums: Sums): void {
  for (let slot = 0; slot < ACCOUNTS_PER_PAGE; slot++) {
    const gpa = books.accountGpa(page, slot);
    sums.opened += books.openingOf(page, slot);
    sums.total += Account.balance.load(memory, gpa);
    sums.moves += Account.moves.load(memory, gpa);
    sums.stamps = (sums.stamps + Account.stamps.load(memory, gpa)) | 0;
  }
}

// What a vCPU has debited and not credited yet is in its register.
function checkSums({ registers }: Machine, sums: Sums, audit: Audit): void {
  let [moves, stamps, inTransit] = [0, 0, 0];
  for (const values of registers) {
    moves += values[Register.MOVES]!;
    stamps = (stamps + values[Register.STAMPS]!) | 0;
    if (values[Register.PHASE] === Phase.CREDITING) inTransit += values[Register.AMOUNT]!;
  }
  if (sums.moves !== moves || sums.stamps !== stamps) {
    audit.fail(
      `transfers were lost: the accounts count ${sums.moves} debits and credits and add up to ${sums.stamps}, the registers to ${moves} and ${stamps}`,
    );
  }
  if (sums.total + inTransit !== sums.opened) {
    audit.fail(
      `the total is ${sums.total} and ${inTransit} in transit, and it was ${sums.opened} at first: money was lost or made`,
    );
  }
}

function checkWalk({ memory, registers }: Machine, books: Books, audit: Audit): void {
  const office = books.officeGpa;
  const [frontier, visit] = [Office.frontier.load(memory, office), registers[0]![Register.VISIT_PAGE]!];
  if (frontier !== visit) {
    audit.fail(
      `stores to the office were lost: its frontier is at ${frontier}, and vCPU 0 visits page ${visit} next`,
    );
  }
  const failures = Office.failures.load(memory, office);
  if (failures === 0) return;
  audit.fail(
    `while it ran, ${failures} of ${registers[0]![Register.WALKS]} sums were wrong: the last was ${Office.foundTotal.load(memory, office)}, and it must be ${Office.total.load(memory, office)}`,
  );
}

// Nobody has a lock that does not say so in its registers, and nobody is in a queue for nothing.
function checkLocks(
  { memory, registers }: Machine,
  books: Books,
  locked: readonly number[],
  audit: Audit,
): void {
  for (const page of locked) {
    const lock = books.lockOf(memory, page);
    const place = `page ${books.gpaOf(page) / PAGE_BYTES}`;
    const owner = registers[lock.owner];
    if (lock.owner >= 0 && (owner === undefined || !isAbout(owner, page))) {
      audit.fail(`the lock of ${place} is held by vCPU ${lock.owner}, which knows nothing of it`);
    }
    for (let vcpu = 0; vcpu < 64; vcpu++) {
      if (!lock.isAwaitedBy({ id: vcpu })) continue;
      const waiting = registers[vcpu];
      if (waiting === undefined || pageAwaitedBy(waiting) !== page) {
        audit.fail(
          `vCPU ${vcpu} is in the queue for the lock of ${place}, and waits for another or for none`,
        );
      }
    }
  }
}

// Also when it was handed the lock and has not come for it yet.
function isAbout(registers: Float64Array, page: number): boolean {
  return pagesHeldBy(registers).includes(page) || pageAwaitedBy(registers) === page;
}
