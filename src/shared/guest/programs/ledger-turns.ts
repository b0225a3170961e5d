// The turns of a vCPU of the ledger guest: a transfer under two locks, in their order, or a visit of the walk under one.
// Knows no pace and no choice: who transfers what to whom stands in registers when a turn begins.
import type { GuestMemory } from '../../memory/guest-memory.js';
import type { Vcpu } from '../guest-program.js';
import { Account, accountNumber, checkOf, FIRST_PAGE, Office, type Books } from './ledger-books.js';
import { pagesOfTransfer, Phase, Register } from './ledger-registers.js';
import { mix32 } from './random.js';

/**
 * Goes on with the turn that the vCPU has begun, up to the point where a transfer is debited. Answers how many pages it wrote;
 * 0 when it has to wait for a lock, and holds those that it has.
 */
export function advance(vcpu: Vcpu, books: Books): number {
  const { memory, registers } = vcpu;
  if (registers[Register.PHASE] === Phase.VISITING) return visit(vcpu, books) ? 1 : 0;
  const [low, high] = pagesOfTransfer(registers);
  if (registers[Register.PHASE] === Phase.LOCKING_FIRST) {
    if (!books.lockOf(memory, low).lock(vcpu)) return 0;
    registers[Register.PHASE] = Phase.LOCKING_SECOND;
  }
  if (low !== high && !books.lockOf(memory, high).lock(vcpu)) return 0;
  debit(vcpu, books);
  registers[Register.PHASE] = Phase.CREDITING;
  return low === high ? 1 : 2;
}

/** Credits what was debited, and lets the locks go. */
export function finish(vcpu: Vcpu, books: Books): void {
  const { memory, registers } = vcpu;
  if (registers[Register.PHASE] !== Phase.CREDITING) return;
  const [page, slot] = [registers[Register.TO_PAGE]!, registers[Register.TO_SLOT]!];
  move(vcpu, books, page, slot, registers[Register.AMOUNT]!, 1);
  const [low, high] = pagesOfTransfer(registers);
  if (low !== high) books.lockOf(memory, high).unlock(vcpu);
  books.lockOf(memory, low).unlock(vcpu);
  registers[Register.PHASE] = Phase.IDLE;
}

/** Begins to add up all balances: nobody has been visited, so no transfer carries anything over the frontier. */
export function beginWalk(memory: GuestMemory, books: Books, registers: Float64Array): void {
  memory.fill(Office.corrections.gpa(books.officeGpa), 8 * 64, 0);
  registers[Register.WALK_SUM] = 0;
  registers[Register.VISIT_PAGE] = FIRST_PAGE;
  memory.atomicStore32(Office.frontier.gpa(books.officeGpa), FIRST_PAGE);
}

function debit(vcpu: Vcpu, books: Books): void {
  const { memory, registers, id } = vcpu;
  const [page, slot] = [registers[Register.FROM_PAGE]!, registers[Register.FROM_SLOT]!];
  const amount = Math.min(
    registers[Register.AMOUNT]!,
    Account.balance.load(memory, books.accountGpa(page, slot)),
  );
  registers[Register.AMOUNT] = amount;
  registers[Register.TRANSFERS]!++;
  move(vcpu, books, page, slot, -amount, 0);
  // Which of both pages have been visited cannot change while their locks are held. What goes from one that has to one that
  // has not would be counted twice, and not at all the other way round.
  const frontier = memory.atomicLoad32(Office.frontier.gpa(books.officeGpa));
  const wasVisited = page < frontier;
  if (wasVisited === registers[Register.TO_PAGE]! < frontier) return;
  const correction = Office.corrections.gpa(books.officeGpa) + 8 * id;
  memory.storeF64(correction, memory.loadF64(correction) + (wasVisited ? -amount : amount));
}

function move(vcpu: Vcpu, books: Books, page: number, slot: number, amount: number, side: 0 | 1): void {
  const { memory, registers, id } = vcpu;
  const gpa = books.accountGpa(page, slot);
  const number = registers[Register.TRANSFERS]!;
  const stamp = mix32(mix32(2 * number + side) + id) | 0;
  const balance = Account.balance.load(memory, gpa) + amount;
  const last = 64 * number + id;
  const moves = Account.moves.load(memory, gpa) + 1;
  const stamps = (Account.stamps.load(memory, gpa) + stamp) | 0;
  Account.balance.store(memory, gpa, balance);
  Account.last.store(memory, gpa, last);
  Account.moves.store(memory, gpa, moves);
  Account.stamps.store(memory, gpa, stamps);
  Account.check.store(memory, gpa, checkOf(accountNumber(page, slot), balance, last, moves, stamps));
  registers[Register.MOVES]!++;
  registers[Register.STAMPS] = (registers[Register.STAMPS]! + stamp) | 0;
}

// Adds up a page under its lock; after the last one the sum is known, whatever was transferred meanwhile.
function visit(vcpu: Vcpu, books: Books): boolean {
  const { memory, registers } = vcpu;
  const page = registers[Register.VISIT_PAGE]!;
  const lock = books.lockOf(memory, page);
  if (!lock.lock(vcpu)) return false;
  registers[Register.WALK_SUM]! += books.sumOfPage(memory, page);
  registers[Register.VISIT_PAGE] = page + 1;
  memory.atomicStore32(Office.frontier.gpa(books.officeGpa), page + 1);
  lock.unlock(vcpu);
  registers[Register.PHASE] = Phase.IDLE;
  if (page + 1 === books.pageCount) endWalk(memory, books, registers);
  return true;
}

function endWalk(memory: GuestMemory, books: Books, registers: Float64Array): void {
  const office = books.officeGpa;
  let sum = registers[Register.WALK_SUM]!;
  for (let vcpu = 0; vcpu < 64; vcpu++) sum += memory.loadF64(Office.corrections.gpa(office) + 8 * vcpu);
  if (sum !== Office.total.load(memory, office)) {
    Office.failures.store(memory, office, Office.failures.load(memory, office) + 1);
    Office.foundTotal.store(memory, office, sum);
  }
  registers[Register.WALKS]!++;
  beginWalk(memory, books, registers);
}
