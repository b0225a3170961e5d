// The ledger guest, its vCPUs taking slices in a random order in one thread: what holds at every stop, and what its audit finds.
import { describe, expect, it } from 'vitest';
import type { AuditResult, GuestSpec, Machine, Vcpu } from '../../src/shared/guest/guest-program.js';
import { GuestDevices } from '../../src/shared/guest/devices/guest-devices.js';
import { ledger } from '../../src/shared/guest/programs/ledger.js';
import {
  Account,
  accountNumber,
  Books,
  checkOf,
  FIRST_PAGE,
} from '../../src/shared/guest/programs/ledger-books.js';
import { pagesHeldBy, Phase, Register } from '../../src/shared/guest/programs/ledger-registers.js';
import { placesOf } from '../../src/shared/guest/programs/page-places.js';
import { below, nextRandom, seedRandom } from '../../src/shared/guest/programs/random.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { memoryOf } from './state-fixtures.js';

const SEED = Number(process.env['STATE_SEED'] ?? 1);

interface Ledger {
  readonly machine: Machine;
  readonly books: Books;
  readonly run: (slices: number, vcpu?: number) => void;
  readonly audit: () => AuditResult;
}

function ledgerOf(pages = 400, vcpus = 4): Ledger {
  const spec: GuestSpec = {
    program: 'ledger',
    memoryBytes: pages * PAGE_BYTES,
    vcpus,
    seed: SEED,
    writeRate: Infinity,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  };
  const memory = memoryOf(spec.memoryBytes);
  const machine = { memory, registers: Array.from({ length: vcpus }, () => new Float64Array(32)) };
  ledger(spec).boot?.(machine);
  const all = machine.registers.map((registers, id): Vcpu => ({
    id,
    memory,
    registers,
    devices: new GuestDevices(memory, spec),
    nowUs: () => 0,
    haltUntil: () => undefined,
    powerOff: () => {
      throw new Error('it is not to power off');
    },
    countWork: () => undefined,
  }));
  let random = seedRandom(SEED, 0x1e);
  return {
    machine,
    books: new Books(placesOf(spec), SEED),
    run(slices, vcpu) {
      for (let slice = 0; slice < slices; slice++) {
        const id = vcpu ?? below((random = nextRandom(random)), vcpus);
        // Made anew, as after a move: nothing may be anywhere but in memory and registers.
        ledger(spec).runSlice(all[id]!);
      }
    },
    audit: () => ledger(spec).audit!(machine),
  };
}

const whole = { passed: true, failed: 0, findings: [] };
/** A page that no vCPU holds just now. */
const freePage = ({ machine, books }: Ledger): number =>
  Array.from({ length: books.pageCount - FIRST_PAGE }, (_, index) => FIRST_PAGE + index).find(
    (page) => books.lockOf(machine.memory, page).owner < 0,
  )!;

function setBalance(
  { machine: { memory }, books }: Ledger,
  page: number,
  slot: number,
  change: number,
): void {
  const gpa = books.accountGpa(page, slot);
  const balance = Account.balance.load(memory, gpa) + change;
  const [last, moves, stamps] = [Account.last, Account.moves, Account.stamps].map((field) =>
    field.load(memory, gpa),
  ) as [number, number, number];
  Account.balance.store(memory, gpa, balance);
  Account.check.store(memory, gpa, checkOf(accountNumber(page, slot), balance, last, moves, stamps));
}

/** An account that was used. */
const usedSlot = ({ machine, books }: Ledger, page: number): number => {
  let slot = 0;
  while (Account.moves.load(machine.memory, books.accountGpa(page, slot)) === 0) slot++;
  return slot;
};

describe(`the ledger (STATE_SEED=${SEED})`, () => {
  it('is whole at every stop, with locks held and money in transit', () => {
    const ledger = ledgerOf(2000);
    let inTransit = 0;
    for (let stop = 0; stop < 12; stop++) {
      ledger.run(7);
      expect(ledger.audit()).toMatchObject({ ...whole, checked: 2000 });
      inTransit += ledger.machine.registers.filter(
        (values) => values[Register.PHASE] === Phase.CREDITING,
      ).length;
    }
    expect(inTransit).toBeGreaterThan(12);
  });

  it('lets vCPUs wait for each other, and all of them go on', () => {
    const ledger = ledgerOf(60);
    const phases = new Set<number>();
    for (let stop = 0; stop < 6000; stop++) {
      ledger.run(1);
      for (const values of ledger.machine.registers) phases.add(values[Register.PHASE]!);
    }
    for (const phase of [Phase.LOCKING_FIRST, Phase.LOCKING_SECOND, Phase.CREDITING, Phase.VISITING])
      expect(phases).toContain(phase);
    for (const values of ledger.machine.registers) expect(values[Register.TRANSFERS]).toBeGreaterThan(300);
    expect(ledger.audit()).toMatchObject(whole);
  });

  it('adds up all balances again and again while it runs, and always finds its total', () => {
    const ledger = ledgerOf(24);
    ledger.run(3000);
    expect(ledger.machine.registers[0]![Register.WALKS]).toBeGreaterThan(10);
    expect(ledger.audit()).toMatchObject(whole);
  });

  it('runs on memory that has room for one page of accounts', () => {
    const ledger = ledgerOf(2);
    ledger.run(500);
    expect(ledger.audit()).toMatchObject(whole);
    expect(() => ledgerOf(1)).toThrow('the ledger needs 2 pages of memory');
  });

  it('is found to have lost a transfer that both of its pages forgot', () => {
    const ledger = ledgerOf(4, 1);
    const { memory, registers } = ledger.machine;
    ledger.run(50);
    const before = new Uint8Array(memory.memoryBytes);
    memory.read(0, before);
    const walk = [Register.VISIT_PAGE, Register.WALK_SUM, Register.WALKS].map((name) => registers[0]![name]!);
    ledger.run(1);
    memory.write(0, before);
    [Register.VISIT_PAGE, Register.WALK_SUM, Register.WALKS].forEach((name, index) => {
      registers[0]![name] = walk[index]!;
    });
    const { passed, findings } = ledger.audit();
    expect(passed).toBe(false);
    expect(findings[0]).toMatch(/^transfers were lost: the accounts count \d+ debits and credits/);
  });

  it('is found to have lost money, at a stop and by itself while it runs', () => {
    const ledger = ledgerOf();
    ledger.run(500);
    const page = freePage(ledger);
    const slot = usedSlot(ledger, page);
    setBalance(ledger, page, slot, -1);
    expect(ledger.audit().findings).toEqual([
      expect.stringMatching(/^the total is .* money was lost or made$/),
    ]);
    const walks = ledger.machine.registers[0]![Register.WALKS]!;
    while (ledger.machine.registers[0]![Register.WALKS]! < walks + 2) ledger.run(1);
    setBalance(ledger, page, slot, 1);
    const { findings } = ledger.audit();
    expect(findings).toEqual([expect.stringMatching(/^while it ran, \d+ of \d+ sums were wrong/)]);
  });

  it('is found to have a torn account, and a word written over that nobody writes', () => {
    const ledger = ledgerOf();
    const { memory } = ledger.machine;
    ledger.run(500);
    const page = freePage(ledger);
    const gpa = ledger.books.accountGpa(page, usedSlot(ledger, page));
    for (const field of [Account.last, Account.check, Account.background]) {
      const before = memory.load32(field.gpa(gpa));
      memory.store32(field.gpa(gpa), before ^ 1);
      expect(ledger.audit().findings).toEqual([expect.stringContaining(`page ${page} is wrong at gpa`)]);
      memory.store32(field.gpa(gpa), before);
    }
    expect(ledger.audit()).toMatchObject(whole);
  });

  it('is found to have a lock that nobody knows of, one that was lost, and a queue that nobody is in', () => {
    const ledger = ledgerOf();
    const { machine, books } = ledger;
    ledger.run(500);
    const free = freePage(ledger);
    const lock = books.lockOf(machine.memory, free);
    lock.lock({ id: 1 });
    expect(ledger.audit().findings).toEqual([
      `the lock of page ${free} is held by vCPU 1, which knows nothing of it`,
    ]);
    lock.lock({ id: 2 });
    expect(ledger.audit().findings[1]).toBe(
      `vCPU 2 is in the queue for the lock of page ${free}, and waits for another or for none`,
    );
    machine.memory.fill(lock.gpa, 12, 0);
    expect(ledger.audit()).toMatchObject(whole);
    const holdingVcpu = (): number => machine.registers.findIndex((values) => pagesHeldBy(values).length > 0);
    while (holdingVcpu() < 0) ledger.run(1);
    const holder = holdingVcpu();
    const [held] = pagesHeldBy(machine.registers[holder]!);
    machine.memory.store32(books.gpaOf(held!), 0);
    expect(ledger.audit().findings).toContain(
      `stores to page ${held} were lost: vCPU ${holder} holds its lock, which nobody has`,
    );
  });
});
