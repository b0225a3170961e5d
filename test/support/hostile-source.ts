// A source without a guest, in a test's hand: it greets a destination, has it prepare, and takes its page and fault
// connections. From then on it says what the test likes.
// Knows the greeting and PREPARE; what is wrong with what it says is the test's.
import { codeHashOf } from '../../src/shared/guest/programs/catalogue.js';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { helloOf, instanceId } from '../../src/shared/wire/greeting.js';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageOf,
} from '../../src/shared/wire/messages.js';
import { PASS } from './passes.js';
import { FramePeer } from './frame-peer.js';

export const HOSTILE_PAGES = 1100;
export const HOSTILE_VCPUS = 2;

export class HostileSource {
  readonly migrationId: string;
  readonly control: FramePeer;
  readonly pages: FramePeer[] = [];
  faults: FramePeer | undefined;
  #server: Server | undefined;
  #connected: () => void = () => undefined;

  private constructor(control: FramePeer, migrationId: string) {
    this.control = control;
    this.migrationId = migrationId;
  }

  /** Resolves once it is welcome. */
  static async greet(
    port: number,
    migrationId: string = randomUUID(),
    ticket = PASS.ticket,
  ): Promise<HostileSource> {
    const source = new HostileSource(await FramePeer.connect(port), migrationId);
    source.say(helloOf({ role: 'control', migrationId, ticket }));
    await source.control.hears('WELCOME');
    return source;
  }

  say(message: Message): void {
    this.control.say(...encodeMessage(message));
  }

  /** Resolves once the destination is prepared, and all of its connections are up. */
  async prepare(changes: Partial<MessageOf<'PREPARE'>> = {}): Promise<void> {
    const connections = changes.connections ?? 1;
    const port = await this.#listen(connections + 1);
    const isConnected = new Promise<void>((resolve) => {
      this.#connected = resolve;
    });
    this.say({
      name: 'PREPARE',
      guest: {
        program: 'replay',
        memoryBytes: HOSTILE_PAGES * 4096,
        vcpus: HOSTILE_VCPUS,
        seed: 1,
        writeRate: 0,
        hotSetBytes: 0,
        residentBytes: 0,
        devices: [],
      },
      codeHash: codeHashOf('replay'),
      touchedBytes: 0,
      connections,
      dials: 'destination',
      pagePorts: Array.from({ length: connections }, () => port),
      faultPort: port,
      pageChecks: false,
      verifies: false,
      audits: false,
      auditAfterMs: 0,
      ...changes,
    });
    await this.control.hears('PREPARED');
    await isConnected;
  }

  async #listen(connections: number): Promise<number> {
    let left = connections;
    const server = createServer((socket) => {
      const peer = new FramePeer(socket);
      void peer.hears('HELLO').then((frame) => {
        const hello = decodeMessage(frame) as MessageOf<'HELLO'>;
        if (hello.role === 'pages') this.pages[hello.index] = peer;
        else this.faults = peer;
        peer.say(
          ...encodeMessage({
            name: 'WELCOME',
            version: PROTOCOL_VERSION,
            instanceId,
            pid: process.pid,
            host: 'hostile',
            round: 0,
            regions: 0,
          }),
        );
        if (--left === 0) this.#connected();
      });
    });
    this.#server = server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Resolves once the destination has refused the migration; answers why. */
  async isRefused(): Promise<MessageOf<'REFUSAL'>> {
    return decodeMessage(await this.control.hearsAtLast('REFUSAL')) as MessageOf<'REFUSAL'>;
  }

  async leave(): Promise<void> {
    this.#server?.close();
    const peers = [this.control, ...this.pages, ...(this.faults === undefined ? [] : [this.faults])];
    await Promise.all(peers.map((peer) => peer.leave('at once')));
  }
}
