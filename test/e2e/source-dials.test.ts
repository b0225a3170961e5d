// A source that dials every connection: to a destination that can dial nobody, through cuts, and where ports are closed.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FailureReport, MigrationReport } from '../../src/report/document.js';
import { endAll, failureOf, reportOf, runCli, small, startDestination, startSource } from '../support/cli.js';
import { behindFirewall } from '../support/firewall.js';
import type { PeerProcess } from '../support/peer-process.js';

const MS_MAX = 40_000;
const peers: PeerProcess[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
  await endAll();
});

async function shutInDestination(): Promise<string> {
  const peer = behindFirewall('destination', ['destination', '--listen', '127.0.0.1:0', '--json']);
  peers.push(peer);
  return peer.address(MS_MAX);
}

/** A source that dials, past a firewall that lets it out to `ports` only. */
async function shutInSource(to: string, ports: readonly number[]): Promise<PeerProcess> {
  const args = ['source', '--once', '--json', '--to', to, '--dial', 'source', ...small()];
  const peer = behindFirewall('source', args, [Number(to.split(':')[1]), ...ports]);
  peers.push(peer);
  await peer.end(MS_MAX);
  return peer;
}

describe('a destination that can dial nobody', () => {
  it('is not reached by a guest whose pages it is to dial', async () => {
    const { error } = failureOf(await startSource(await shutInDestination()).ended);
    expect(error.code).toBe('CONNECT_FAILED');
    expect(error.message).toMatch(/the destination cannot connect to .*--listen.*--dial source/);
  });

  it.each(['hybrid', 'pre-copy', 'post-copy'])('takes one whose source dials, by %s', async (mode) => {
    const report = reportOf(
      await startSource(await shutInDestination(), '--dial', 'source', '--mode', mode).ended,
    );
    expect(report).toMatchObject({ mode, cuts: 0, audit: { passed: true } });
  });
});

describe('connections that the source dials', () => {
  it.each([
    ['hybrid', ['--cut', '500ms+150ms,900ms,1500ms+100ms', '--bandwidth', '40Mbit']],
    ['post-copy', ['--cut', '400ms+100ms,800ms,1300ms+200ms', '--bandwidth', '40Mbit', '--delay', '5ms']],
  ])('are cut and made again through an emulated link (%s)', async (mode, link) => {
    const report = reportOf(
      await runCli('demo', '--json', ...small(), '--dial', 'source', '--mode', mode, ...link),
    );
    expect(report.cuts).toBeGreaterThan(0);
    expect(report.audit).toMatchObject({ passed: true });
  });

  it('are as secret as the others, and proved by the source, also when they are made again', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'microstun-source-dials-'));
    try {
      const key = path.join(folder, 'key');
      expect((await runCli('keygen', key)).status).toBe(0);
      const cut = ['--cut', '400ms+100ms,900ms', '--bandwidth', '40Mbit'];
      const ended = await runCli('demo', '--json', ...small(), '--dial', 'source', '--key-file', key, ...cut);
      const report = reportOf(ended);
      expect(report.cuts).toBeGreaterThan(0);
      expect(report.audit).toMatchObject({ passed: true });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('go to the ports that the destination was told to listen on, and no others', async () => {
    const ports = await freeRow(3);
    const { to } = await startDestination(['--page-listen', `127.0.0.1:${ports[0]}`]);
    const source = await shutInSource(to, ports);
    const [report] = source.documents() as [MigrationReport];
    expect(report).toMatchObject({ outcome: 'completed', cuts: 0, audit: { passed: true } });
  });

  it('and cannot be made are told by the source: which, why, and what to do', async () => {
    const { to } = await startDestination();
    const source = await shutInSource(to, []);
    const [{ error, owner }] = source.documents() as [FailureReport];
    expect([error.code, owner]).toEqual(['CONNECT_FAILED', 'source']);
    expect(error.message).toMatch(
      /^the source cannot connect to 127\.0\.0\.1:\d+: there is no route to it\. .*--page-listen.*firewall.*--dial destination/,
    );
    expect(source.ended?.status).toBe(3);
  });

  it('find no port that another program has, and its user hears which', async () => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { to } = await startDestination(['--page-listen', `127.0.0.1:${port}`]);
    const { error, owner } = failureOf(await startSource(to, '--dial', 'source').ended);
    expect([error.code, owner]).toEqual(['CONNECT_FAILED', 'source']);
    expect(error.message).toContain(`127.0.0.1:${port} is in use by another program`);
    expect(error.message).toContain('--page-listen');
  });
});

/** Above the ports that the operating system hands out by itself. */
let nextPort = 61_000 + (process.pid % 4000);

/** So many free ports in a row. */
async function freeRow(count: number): Promise<number[]> {
  for (;;) {
    const row = Array.from({ length: count }, () => nextPort++);
    const free = await Promise.all(row.map(isFree));
    if (free.every(Boolean)) return row;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
