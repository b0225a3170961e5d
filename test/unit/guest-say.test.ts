// A guest's say in its migrations: how its vCPU 0 is asked and told while all others run on, in a machine with real vCPUs.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { MicrostunError } from '../../src/shared/errors.js';
import { checkAnswer } from '../../src/shared/guest/guest-say.js';
import { GuestMachine } from '../../src/shared/guest/machine.js';
import type { GuestAnswer } from '../../src/shared/guest/machine-notices.js';
import { NoticeReader, putQuestion, putTidings, takeQuestionBack } from '../../src/shared/guest/notices.js';
import { allocateMachine, registersOf } from '../../src/shared/guest/shared-machine.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { NEWS } from '../../src/shared/memory/safepoint-words.js';
import { AT, CONDUCT } from '../support/guests/asked.mjs';

const module = pathToFileURL(fileURLToPath(new URL('../support/guests/asked.mjs', import.meta.url))).href;

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Asked {
  readonly machine: GuestMachine;
  readonly failures: MicrostunError[];
  /** Of vCPU 0. */
  readonly registers: Float64Array;
}

function specOf(program: string, seed: number) {
  return {
    program,
    memoryBytes: 512 * PAGE_BYTES,
    vcpus: 2,
    seed,
    writeRate: Infinity,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  };
}

async function askedMachine(conduct: number): Promise<Asked> {
  const failures: MicrostunError[] = [];
  const machine = new GuestMachine(
    specOf('asked', conduct),
    { failed: (error) => failures.push(error) },
    { module },
  );
  closers.push(() => machine.close());
  await machine.start(true);
  return { machine, failures, registers: registersOf(machine.shared, 0) };
}

function ask({ machine }: Asked, notice = { waitedMs: 0, leftMs: 5000 }): Promise<GuestAnswer> {
  return new Promise((resolve) => {
    machine.notices.ask(notice, resolve);
  });
}

describe('a guest that has a say', () => {
  it('is known to have one once its vCPUs are ready, and one that has none is known to have none', async () => {
    const { machine } = await askedMachine(CONDUCT.READY);
    expect(machine.notices.isToBeAsked).toBe(true);
    const other = new GuestMachine(specOf('hot-set', 1), { failed: () => undefined });
    closers.push(() => other.close());
    await other.start(true);
    expect(other.notices.isToBeAsked).toBe(false);
  });

  it('is asked while its vCPU 0 sleeps until something happens, each time anew', async () => {
    const asked = await askedMachine(CONDUCT.READY);
    await asked.machine.resume();
    for (let time = 1; time <= 50; time++) {
      expect(await ask(asked, { waitedMs: time, leftMs: 5000 - time })).toEqual({ kind: 'ready' });
      expect([...asked.registers.subarray(AT.ASKED, AT.TOLD)]).toEqual([time, time, 5000 - time]);
    }
    expect(asked.failures).toEqual([]);
  });

  it('parks at once though its vCPU 0 sleeps until something happens', async () => {
    const { machine } = await askedMachine(CONDUCT.READY);
    for (let time = 0; time < 20; time++) {
      await machine.resume();
      await machine.park();
    }
    expect(machine.isFailed).toBe(false);
  });

  it('may want a moment, or not to be moved', async () => {
    const delays = await askedMachine(CONDUCT.DELAYS);
    await delays.machine.resume();
    expect(await ask(delays)).toEqual({ kind: 'delay', delayMs: 20 });
    const vetoes = await askedMachine(CONDUCT.VETOES_ONCE);
    await vetoes.machine.resume();
    expect(await ask(vetoes)).toEqual({ kind: 'veto', reason: 'the books are open' });
  });

  it('is told that it stays, once for all that it was asked', async () => {
    const asked = await askedMachine(CONDUCT.DELAYS);
    await asked.machine.resume();
    await ask(asked);
    await ask(asked);
    asked.machine.notices.tellStayed(false);
    await expect.poll(() => asked.registers[AT.TOLD]).toBe(1);
    expect([asked.registers[AT.MOVED], asked.registers[AT.STOOD_STILL_MS]]).toEqual([0, 0]);
    asked.machine.notices.tellStayed(false);
    // What it is told comes before what it is asked next.
    await ask(asked);
    expect(asked.registers[AT.TOLD]).toBe(1);
  });

  it('is told for how long it stood still if it was parked, before its first slice', async () => {
    const asked = await askedMachine(CONDUCT.READY);
    await asked.machine.resume();
    await ask(asked);
    await asked.machine.park();
    asked.registers[AT.FIRST] = 0;
    asked.machine.notices.tellStayed(true);
    expect(asked.registers[AT.TOLD]).toBe(0);
    await asked.machine.resume();
    await expect.poll(() => asked.registers[AT.FIRST]).toBe(2);
    expect(asked.registers[AT.TOLD]).toBe(1);
    expect(asked.registers[AT.STOOD_STILL_MS]).toBeGreaterThan(0);
  });

  it('is told where it has come to before its first slice, though it was not asked here', async () => {
    const { machine, registers } = await askedMachine(CONDUCT.READY);
    putTidings(machine.shared, { moved: true, stoppedAtUs: 1 });
    await machine.resume();
    await expect.poll(() => registers[AT.FIRST]).toBe(2);
    expect([...registers.subarray(AT.TOLD, AT.STOOD_STILL_MS)]).toEqual([1, 1]);
  });

  it('hears that it has moved though a migration after that ends without it, before it was asked anything here', async () => {
    const { machine, registers } = await askedMachine(CONDUCT.READY);
    putTidings(machine.shared, { moved: true, stoppedAtUs: 1 });
    machine.notices.tellStayed(true);
    await machine.resume();
    await expect.poll(() => registers[AT.FIRST]).toBe(2);
    expect([...registers.subarray(AT.TOLD, AT.STOOD_STILL_MS)]).toEqual([1, 1]);
  });

  it('is told nothing while it is paused, and not asked; but as soon as it goes on', async () => {
    const asked = await askedMachine(CONDUCT.READY);
    await asked.machine.setPaused(true);
    putTidings(asked.machine.shared, { moved: true, stoppedAtUs: 1 });
    await asked.machine.resume();
    expect(await ask(asked)).toEqual({ kind: 'paused' });
    expect([asked.registers[AT.TOLD], asked.registers[AT.ASKED]]).toEqual([0, 0]);
    await asked.machine.setPaused(false);
    await expect.poll(() => asked.registers[AT.TOLD]).toBe(1);
  });

  it('that is paused while a question stands is not waited for', async () => {
    const asked = await askedMachine(CONDUCT.READY);
    // It stands parked, so nobody answers.
    const answer = ask(asked);
    await asked.machine.setPaused(true);
    expect(await answer).toEqual({ kind: 'paused' });
  });

  it('answers to nobody what is not asked any more', async () => {
    const asked = await askedMachine(CONDUCT.READY);
    const answers: GuestAnswer[] = [];
    // Both while it is parked: only the second stands when it looks.
    asked.machine.notices.ask({ waitedMs: 0, leftMs: 1 }, (answer) => answers.push(answer));
    asked.machine.notices.withdraw();
    const second = ask(asked);
    // Said too late, of the first.
    asked.machine.notices.take(1, { kind: 'veto', reason: 'too late' });
    await asked.machine.resume();
    expect(await second).toEqual({ kind: 'ready' });
    expect([answers, asked.registers[AT.ASKED]]).toEqual([[], 1]);
  });

  it.each([
    ['throws', CONDUCT.THROWS, 'GUEST_FAILED', 'it would rather not be asked'],
    ['answers what is no answer', CONDUCT.PROMISES, 'GUEST_FAILED', 'not a promise'],
    ['powers itself off', CONDUCT.POWERS_OFF, 'GUEST_ENDED', 'it would rather end'],
  ])('that %s when it is asked has ended, and says so', async (_, conduct, code, text) => {
    const asked = await askedMachine(conduct);
    await asked.machine.resume();
    void ask(asked);
    await expect.poll(() => asked.failures).toHaveLength(1);
    expect(asked.failures[0]).toMatchObject({ code, message: expect.stringContaining(text) });
  });
});

describe('an answer', () => {
  it.each([
    [undefined, { kind: 'ready' }],
    [{ delayMs: 0 }, { kind: 'delay', delayMs: 0 }],
    [{ delayMs: Infinity }, { kind: 'delay', delayMs: 2 ** 31 - 1 }],
    [{ veto: '' }, { kind: 'veto', reason: '' }],
    [{ veto: 'x'.repeat(1000) }, { kind: 'veto', reason: 'x'.repeat(200) }],
  ])('may be %o', (answer, checked) => {
    expect(checkAnswer(answer)).toEqual(checked);
  });

  it.each([
    null,
    true,
    'later',
    5,
    {},
    { delayMs: -1 },
    { delayMs: NaN },
    { veto: 1 },
    { delayMs: 1, veto: '' },
  ])('may not be %o', (answer) => {
    expect(() => checkAnswer(answer)).toThrow('beforeMigration answers undefined, { delayMs: number');
  });
});

describe('what is asked and told', () => {
  const machine = allocateMachine(specOf('hot-set', 1));
  const words = new Int32Array(machine.safepointWords);
  const notice = { waitedMs: 1, leftMs: 2 };

  it('is a question that is taken once, and not at all once it is taken back or another stands', () => {
    const reader = new NoticeReader(machine);
    putQuestion(machine, 1, notice);
    expect(reader.look().question).toBe(1);
    putQuestion(machine, 2, notice);
    expect(reader.take(1)).toBeUndefined();
    expect(reader.look().question).toBe(2);
    takeQuestionBack(machine);
    expect([reader.take(2), reader.look().question]).toEqual([undefined, undefined]);
    putQuestion(machine, 3, notice);
    expect(reader.take(3)).toEqual({ number: 3, notice });
    expect(reader.look().question).toBeUndefined();
  });

  it('rings after it is put, so that a sleep that began before returns', () => {
    const before = words[NEWS]!;
    putQuestion(machine, 4, notice);
    expect(words[NEWS]).toBe(before + 1);
  });

  it('is told to the microsecond, and once', () => {
    const reader = new NoticeReader(machine);
    const tidings = { moved: true, stoppedAtUs: 2 ** 31 * 1e6 - 1 };
    putTidings(machine, tidings);
    expect([reader.look().tidings, reader.look().tidings]).toEqual([tidings, undefined]);
    putTidings(machine, { moved: false, stoppedAtUs: undefined });
    expect(reader.look().tidings).toEqual({ moved: false, stoppedAtUs: undefined });
  });
});
