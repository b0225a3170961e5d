// What comes from outside and is wrong: addresses, peers, other programs, signals. The guest stays unharmed throughout.
import { newTicket } from '../../src/shared/wire/pass.js';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { NOTHING_ARRIVED } from '../../src/shared/wire/greeting.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { endAll, failureOf, reportOf, runCli, small, startDestination, startSource } from '../support/cli.js';
import {
  closeFakePeers,
  fakeDestination,
  freeAddress,
  listenBeforeFreeRow,
  listenFree,
  messageIn,
  sayTo,
} from '../support/fake-peer.js';

const OTHER_VERSION = 99;
/** A first round of many seconds: something to interrupt. */
const slow = ['--bandwidth', '4Mbit'];

const auditPassed = /its audit passed \(2,049 pages\)/;

afterEach(async () => {
  closeFakePeers();
  await endAll();
});

describe('an address', () => {
  it('that is in use stops a destination, which names it and the remedy', async () => {
    const taken = await listenFree(() => undefined);
    const { status, stdout, stderr } = await runCli('destination', '--listen', taken);
    expect(stderr).toContain(`${taken} is in use by another program`);
    expect(stderr).toContain('--listen');
    expect(stdout).toBe('');
    expect(status).toBe(3);
  });

  it('that is in use stops a source, which names it and the remedy; its guest is unharmed', async () => {
    const taken = await listenBeforeFreeRow(() => undefined);
    const ended = await startSource(await freeAddress(), '--listen', taken).ended;
    const { error, owner, safeNext } = failureOf(ended);
    expect(error.code).toBe('LISTEN_FAILED');
    expect(error.message).toContain(`${taken} is in use by another program`);
    expect(error.message).toContain('--listen');
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect(ended.status).toBe(3);
  });

  it('where nobody listens fails the source in time; its guest is unharmed', async () => {
    const to = await freeAddress();
    const ended = await startSource(to, '--connect-timeout', '500ms').ended;
    const { error, owner, safeNext } = failureOf(ended);
    expect(error.code).toBe('CONNECT_FAILED');
    expect(error.message).toContain(to);
    expect(error.message).toMatch(/start "microstun destination"/);
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect(ended.status).toBe(3);
  });

  it('where the destination comes up late is tried again', async () => {
    const to = await freeAddress();
    const source = startSource(to);
    await source.said(/connecting to the destination/);
    const { destination } = await startDestination(['--run-for', '0ms'], to);
    expect(reportOf(await source.ended).audit?.passed).toBe(true);
    expect((await destination.ended).status).toBe(0);
  });
});

describe('a destination', () => {
  it('with too little memory refuses, says so, and takes the next guest', async () => {
    const { destination, to } = await startDestination(['--max-memory', '1MiB', '--run-for', '0ms']);
    const ended = await startSource(to).ended;
    const { error, owner, safeNext } = failureOf(ended);
    expect(error.code).toBe('INSUFFICIENT_MEMORY');
    expect(error.message).toContain('8.00 MiB');
    expect(error.message).toContain('1.00 MiB');
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect(ended.status).toBe(4);
    const args = ['--json', '--to', to, ...small(200)];
    expect(reportOf(await runCli('source', '--once', ...args)).audit?.checked).toBe(200);
    expect((await destination.ended).status).toBe(0);
  });

  it('that is busy refuses a second source and goes on with the first', async () => {
    const { to } = await startDestination(['--run-for', '0ms']);
    const first = startSource(to, ...slow);
    await first.said(/round 0/);
    const second = await startSource(to).ended;
    const { error, owner, safeNext } = failureOf(second);
    expect(error.message).toContain('has a guest already');
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect(second.status).toBe(4);
    first.kill('SIGINT');
    expect(failureOf(await first.ended).safeNext).toMatch(auditPassed);
  });

  it('that speaks another version is refused by the source, which names both', async () => {
    const identity = { version: OTHER_VERSION, instanceId: randomUUID(), pid: 1, host: 'beta' };
    const to = await fakeDestination({ name: 'WELCOME', ...identity, ...NOTHING_ARRIVED });
    const ended = await startSource(to, '--connect-timeout', '2s').ended;
    const { error, owner } = failureOf(ended);
    expect(error.code).toBe('VERSION_MISMATCH');
    expect(error.message).toContain(`version ${OTHER_VERSION}`);
    expect(error.message).toContain(`version ${PROTOCOL_VERSION}`);
    expect(owner).toBe('source');
    expect(ended.status).toBe(4);
  });

  it('that refuses our version ends the source, which names both', async () => {
    const answer: Message = {
      name: 'REFUSAL',
      version: OTHER_VERSION,
      code: 'VERSION_MISMATCH',
      reason: 'not mine',
    };
    const ended = await startSource(await fakeDestination(answer)).ended;
    const { error, owner, safeNext } = failureOf(ended);
    expect(error.message).toContain(`version ${OTHER_VERSION}`);
    expect(error.message).toContain(`version ${PROTOCOL_VERSION}`);
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect(ended.status).toBe(4);
  });
});

describe('a peer of a destination', () => {
  const hello = (version: number): Uint8Array =>
    Buffer.concat(
      encodeMessage({
        name: 'HELLO',
        version,
        role: 'control',
        migrationId: randomUUID(),
        ticket: newTicket(),
        welcomedBy: '',
        index: 0,
        round: 0,
        regions: 0,
      }),
    );

  it('that speaks another version or no protocol at all is sent away; a real source then gets through', async () => {
    const { destination, to } = await startDestination(['--run-for', '0ms']);

    const answer = messageIn(await sayTo(to, hello(OTHER_VERSION)));
    expect(answer).toMatchObject({
      name: 'REFUSAL',
      code: 'VERSION_MISMATCH',
      version: PROTOCOL_VERSION,
    });
    expect(JSON.stringify(answer)).toContain(`version ${OTHER_VERSION}`);

    await sayTo(to, Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    await sayTo(to, Buffer.alloc(64 * 1024, 0xff));
    await sayTo(to, Buffer.alloc(8));
    // A header that promises more than a HELLO may have, and a greeting with something behind it.
    await sayTo(to, Buffer.from([1, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]));
    await sayTo(to, Buffer.concat([hello(PROTOCOL_VERSION), Buffer.from('more')]));

    expect(reportOf(await startSource(to).ended).audit?.passed).toBe(true);
    expect((await destination.ended).status).toBe(0);
  });
});

describe('a signal before the hand-over', () => {
  it('to the source cancels; the guest is unharmed and the destination takes the next one', async () => {
    const { destination, to } = await startDestination(['--run-for', '0ms']);
    const source = startSource(to, ...slow);
    await source.said(/round 0/);
    source.kill('SIGINT');
    const ended = await source.ended;
    const { error, owner, safeNext } = failureOf(ended);
    expect(error.code).toBe('CANCELLED');
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect(ended.status).toBe(130);
    await destination.said(/no guest came: .*cancelled/);

    expect(reportOf(await startSource(to).ended).audit?.passed).toBe(true);
    expect((await destination.ended).status).toBe(0);
  });

  it('to the destination refuses the guest, which is unharmed at the source', async () => {
    const { destination, to } = await startDestination();
    const source = startSource(to, ...slow);
    await source.said(/round 0/);
    destination.kill('SIGTERM');
    const ended = await source.ended;
    const { owner, safeNext } = failureOf(ended);
    expect(owner).toBe('source');
    expect(safeNext).toMatch(auditPassed);
    expect((await destination.ended).status).toBe(130);
    expect(ended.status).toBe(4);
  });
});
