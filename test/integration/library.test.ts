// What `import … from 'microstun'` gives, used as a program of somebody else would: guests and nodes in processes of their own.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  MicrostunError,
  MigrationFailure,
  readReport,
  renderReport,
  htmlReport,
  startGuest,
  startNode,
  type Guest,
  type GuestOptions,
  type Migration,
  type MigrationProgress,
  type Node,
  type NodeEvent,
} from '../../src/library/index.js';
import { root } from '../support/cli.js';

const quitter = path.join(root, 'test/support/guests/quitter.mjs');
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function guestOf(options: GuestOptions = {}): Promise<Guest> {
  const guest = await startGuest({ memory: '8MiB', writeRate: 5000, ...options });
  opened.push(guest);
  return guest;
}

/** One for all: guests come to it and stay, and it takes no harm from those that do not come. */
let to: Node;
beforeAll(async () => {
  to = await startNode({ maxGuests: 8, allowGuest: ['replay', 'hot-set', quitter] });
});
afterAll(async () => {
  await to.close();
});

async function progressOf(migration: Migration): Promise<MigrationProgress[]> {
  const all: MigrationProgress[] = [];
  for await (const one of migration) all.push(one);
  return all;
}

async function failureOf(migration: Migration): Promise<MigrationFailure> {
  const failure: unknown = await migration.report.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(MigrationFailure);
  return failure as MigrationFailure;
}

function isThere(pid: number): boolean {
  try {
    // A process that has ended and that nobody has asked after has no command line any more.
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}

async function firstEvent({ [Symbol.asyncIterator]: iterate }: Node): Promise<NodeEvent | undefined> {
  const { value } = (await iterate().next()) as { value: NodeEvent | undefined };
  return value;
}

describe('a guest that a program started', () => {
  it('is counted, stopped and audited, and moves to a node, with every phase and round seen on the way', async () => {
    const guest = await guestOf({ guest: 'replay', vcpus: 1 });
    expect((await guest.audit()).passed).toBe(true);
    const before = await guest.counters();
    expect(before.pagesWritten).toBeGreaterThan(0);
    await guest.pause();
    const paused = await guest.counters();
    expect((await guest.counters()).slices).toBe(paused.slices);
    await guest.resume();

    const migration = guest.migrate({ to: to.address, auditAfter: '10ms', mode: 'pre-copy' });
    const [progress, report] = await Promise.all([progressOf(migration), migration.report]);
    expect(report).toMatchObject({ outcome: 'completed', mode: 'pre-copy', audit: { passed: true } });
    const phases = progress.flatMap((one) => (one.kind === 'phase' ? [one.phase] : []));
    expect(phases.slice(0, 2)).toEqual(['connecting', 'preparing']);
    expect(phases.slice(-2)).toEqual(['awaiting-audit', 'ended']);
    const rounds = progress.flatMap((one) => (one.kind === 'round' ? [one.round] : []));
    expect(rounds).toEqual(report.rounds);
    expect(progress).toContainEqual(expect.objectContaining({ kind: 'numbers', phase: 'ended' }));
    // One who comes late is told all the same.
    expect((await progressOf(migration)).filter(({ kind }) => kind === 'phase')).toHaveLength(phases.length);

    expect(await guest.ended).toEqual({ why: 'left', error: null });
    await expect(guest.counters()).rejects.toThrow('ask for it at its destination');
    expect(await firstEvent(to)).toMatchObject({ kind: 'arrived', guest: { program: 'replay' } });

    const again = readReport(JSON.parse(JSON.stringify(report)));
    expect(renderReport(again)).toContain('Audit: passed');
    expect(htmlReport(again)).toContain('<html');
  });

  it('runs on where it was when its migration is cancelled by a signal, and can be moved after that', async () => {
    const guest = await guestOf();
    const controller = new AbortController();
    const slow = guest.migrate({ to: to.address, bandwidth: '4Mbit', signal: controller.signal });
    for await (const one of slow)
      if (one.kind === 'phase' && one.phase === 'copying') controller.abort(new Error('not now'));
    const failure = await failureOf(slow);
    expect(failure).toMatchObject({ code: 'CANCELLED', owner: 'source', message: 'cancelled: not now' });
    expect(failure.safeNext).toContain('it runs on here: migrate again');
    const { slices } = await guest.counters();
    expect(slices).toBeGreaterThan(0);
    const report = await guest.migrate({ to: to.address, auditAfter: '10ms' }).report;
    expect(report.audit?.passed).toBe(true);
  });

  it('stays with a failure that says why, in which phase, and what to do, when nobody answers or an option is wrong', async () => {
    const guest = await guestOf({ vcpus: 1 });
    const nobody = await failureOf(guest.migrate({ to: '127.0.0.1:1', connectTimeout: '1ms', audit: false }));
    expect(nobody).toMatchObject({ code: 'CONNECT_FAILED', owner: 'source', phase: 'connecting' });
    expect(nobody.safeNext).toContain('migrate again');
    const wrong = await failureOf(guest.migrate({ to: '127.0.0.1:1', stunBudget: 'soon' as '1ms' }));
    expect(wrong).toMatchObject({
      code: 'USAGE',
      message: '"soon" is no time; write a number with a unit, such as 500us, 10ms or 2s',
    });
    const unknown = await failureOf(guest.migrate({ to: '127.0.0.1:1', ...({ speed: 'high' } as object) }));
    expect(unknown).toMatchObject({ code: 'USAGE', owner: 'source' });
    expect(unknown.message).toContain('speed');
    const early = await failureOf(
      guest.migrate({ to: '127.0.0.1:1', signal: AbortSignal.abort(new Error('no')) }),
    );
    expect(early).toMatchObject({ code: 'CANCELLED', owner: 'source' });
    await guest.close();
    expect(await guest.ended).toEqual({ why: 'ended', error: null });
    await expect(guest.audit()).rejects.toThrow('the guest was ended');
  });
});

describe('a guest that fails', () => {
  it('ends with why it failed, and so does the migration that it was in; the program that started it lives on', async () => {
    const guest = await guestOf({ guest: quitter });
    const failure = await failureOf(guest.migrate({ to: to.address, bandwidth: '1Mbit' }));
    expect(failure).toMatchObject({ code: 'GUEST_FAILED', owner: 'source' });
    expect(failure.message).toContain('it had enough');
    expect(failure.safeNext).toContain('mend the guest');
    const { why, error } = await guest.ended;
    expect(why).toBe('failed');
    expect(error).toMatchObject({
      code: 'GUEST_FAILED',
      message: expect.stringContaining('it had enough') as string,
    });
    await expect(guest.counters()).rejects.toThrow('it had enough');
  });

  it('stands still from its boot on when it is to, moves so, and is sent on by a node that does that', async () => {
    const last = await startNode();
    const next = await startNode({ forwardTo: last.address, migrateAfter: '100ms', auditAfter: '50ms' });
    opened.push(last, next);
    const guest = await guestOf({ guest: 'hot-set', paused: true });
    expect((await guest.counters()).slices).toBe(0);
    const report = await guest.migrate({ to: next.address, auditAfter: '50ms' }).report;
    expect(report.audit?.passed).toBe(true);
    expect((await firstEvent(last))?.kind).toBe('arrived');
    const events: NodeEvent[] = [];
    // Its place is free again, and it waits for the next.
    for await (const event of next) if (events.push(event) === 2) break;
    expect(events).toMatchObject([{ kind: 'arrived' }, { kind: 'ended', outcome: 'left' }]);
  });

  it('is not started when its boot throws', async () => {
    const starting = startGuest({ guest: quitter, seed: 0 });
    await expect(starting).rejects.toMatchObject({ code: 'GUEST_FAILED' });
    await expect(starting).rejects.toThrow('it would not begin');
  });
});

describe('a program that is killed', () => {
  it('takes its guests and nodes along, also in the middle of a migration', async () => {
    const program = spawn(process.execPath, [path.join(root, 'test/support/abandoning-program.mjs')]);
    const died = once(program, 'exit');
    const [said] = (await once(program.stdout, 'data')) as [Buffer];
    expect(String(said)).toBe('migrating\n');
    const children = spawnSync('ps', ['-o', 'pid=', '--ppid', `${program.pid}`], { encoding: 'utf8' });
    const pids = children.stdout.trim().split(/\s+/).map(Number);
    expect(pids).toHaveLength(2);
    program.kill('SIGKILL');
    await died;
    // Nobody tells of the end of a process that is not one's own.
    for (const pid of pids) while (isThere(pid)) await sleep(20);
  });
});

describe('what cannot be started', () => {
  it('is an error with its code and its sentence, as on the command line', async () => {
    const guest: unknown = await startGuest({ memory: 5000 }).catch((error: unknown) => error);
    expect(guest).toBeInstanceOf(MicrostunError);
    expect(guest).toMatchObject({ code: 'USAGE', message: expect.stringContaining('try 8192') as string });
    const taken: unknown = await startNode({ listen: to.address }).catch((error: unknown) => error);
    expect(taken).toMatchObject({ code: 'LISTEN_FAILED' });
  });

  it('is not started when its signal was aborted before, and ends when that is aborted while it starts', async () => {
    await expect(startNode({ signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    const controller = new AbortController();
    const starting = startGuest({ memory: '64MiB', signal: controller.signal });
    controller.abort(new Error('while it starts'));
    await expect(starting).rejects.toThrow('while it starts');
  });
});
