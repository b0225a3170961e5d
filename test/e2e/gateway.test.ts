// Clients of a gateway keep their connections while the guest that they talk to moves: they see a pause, and nothing else.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { endAll, reportOf, runCli, startCli, startDestination, type CliProcess } from '../support/cli.js';
import { TcpClient } from '../support/tcp-client.js';

const folder = mkdtempSync(path.join(tmpdir(), 'microstun-gateway-'));
afterEach(endAll);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A client that sends numbered lines, each once the one before has come back, as long as it is wanted. */
class Talker {
  readonly #client: TcpClient;
  lines = 0;
  isWanted = true;

  constructor(port: number) {
    this.#client = new TcpClient(port);
  }

  async talk(): Promise<void> {
    let said = '';
    while (this.isWanted) {
      const line = `line ${this.lines} ${'.'.repeat(this.lines % 400)}\n`;
      said += line;
      this.#client.say(line);
      await this.#client.hears((heard) => heard.length >= said.length, `line ${this.lines}`);
      this.lines++;
    }
    // Each byte once, in its order.
    expect(this.#client.heard === said).toBe(true);
    expect(this.#client.error).toBeUndefined();
    this.#client.end();
    await this.#client.closed();
  }
}

/** Where the service takes gateways. */
async function carriedAt(process: CliProcess): Promise<string> {
  const [, address] = await process.said(/"echo" takes gateways at ([\d.:]+)/);
  return address!;
}

async function portOf(gateway: CliProcess): Promise<number> {
  const [, port] = await gateway.said(/clients are carried from 127\.0\.0\.1:(\d+)/);
  return Number(port);
}

const modes = process.env['MICROSTUN_TESTS'] === 'long' ? ['hybrid', 'pre-copy', 'post-copy'] : ['hybrid'];

describe('a gateway', () => {
  it.each(modes)(
    'carries its clients, encrypted, from one host to the other while the guest moves by %s',
    async (mode) => {
      const key = path.join(folder, `${mode}.key`);
      await runCli('keygen', key);
      const keyed = ['--key-file', key];
      // Where the guest is to be carried once it is there: said before anybody listens.
      const there = 20_000 + (process.pid % 20_000);
      const { destination, to } = await startDestination(['--once', '--carry', `echo=${there}`, ...keyed]);
      const guest = ['--guest', 'echo', '--memory', '16MiB', '--migrate-after', '1h', '--no-audit'];
      const source = startCli(
        ...['source', '--once', '--json', '--to', to, '--mode', mode, '--carry', 'echo=0'],
        ...guest,
        ...keyed,
      );
      const gateway = startCli(
        ...['gateway', '--listen', '0', '--node', await carriedAt(source), '--node', `127.0.0.1:${there}`],
        ...keyed,
      );
      const port = await portOf(gateway);
      const talkers = Array.from({ length: 8 }, () => new Talker(port));
      const talks = talkers.map((talker) => talker.talk());
      await gateway.said(/a guest is at/);
      source.kill('SIGUSR2');
      await gateway.said(new RegExp(`the guest is at 127\\.0\\.0\\.1:${there}, .* 8 clients go on there`));
      expect(reportOf(await source.ended).outcome).toBe('completed');
      // One that comes now finds the guest as well.
      const late = new Talker(port);
      const lateTalk = late.talk();
      const linesBefore = talkers.map(({ lines }) => lines);
      await expect
        .poll(() => talkers.every(({ lines }, at) => lines > linesBefore[at]!) && late.lines > 0, {
          timeout: 20_000,
        })
        .toBe(true);
      for (const talker of [...talkers, late]) talker.isWanted = false;
      await Promise.all([...talks, lateTalk]);
      gateway.kill('SIGTERM');
      destination.kill('SIGTERM');
      expect((await gateway.ended).status).toBe(0);
    },
  );
});
