// A key-value store without a machine: its guest memory, streams that a test feeds, and a clock that it sets.
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import type { AuditResult, Vcpu } from '../../src/shared/guest/guest-program.js';
import { bootKeyspace } from '../../src/shared/guest/programs/key-value/keyspace.js';
import { NO_JOB, Root } from '../../src/shared/guest/programs/key-value/layout.js';
import { createServer, type Server } from '../../src/shared/guest/programs/key-value/server.js';
import { auditStore } from '../../src/shared/guest/programs/key-value/store-audit.js';
import { guestOf } from '../unit/page-fixtures.js';
import { FakeStreams } from './fake-streams.js';

const SEED = 7;
/** Slices that a test waits for; a command takes a few. */
const SLICES_MAX = 100_000;

export interface StoreOptions {
  readonly memoryBytes?: number;
  readonly connections?: number;
  readonly ringBytes?: number;
  /** What a Unix clock reads at boot, in milliseconds. */
  readonly unixMs?: number;
}

export class Store {
  readonly memory: GuestMemory;
  readonly streams: FakeStreams;
  /** The guest's clock, in microseconds. */
  nowUs = 0;
  slices = 0;
  longestSliceUs = 0;
  readonly #vcpu: Vcpu;
  #server: Server;
  #nextSlot = 0;

  constructor({
    memoryBytes = 8 << 20,
    connections = 4,
    ringBytes = 65_536,
    unixMs = 1_700_000_000_000,
  }: StoreOptions = {}) {
    const views = guestOf(memoryBytes / PAGE_BYTES);
    this.memory = createGuestMemory(views, { pageFires: 0, waitForPage: () => undefined });
    this.streams = new FakeStreams(connections, ringBytes);
    bootKeyspace(this.memory, connections, memoryBytes, SEED);
    this.memory.storeF64(Root.UNIX_BASE_MS, unixMs);
    this.memory.store32(Root.JOB_SLOT, NO_JOB);
    this.#vcpu = {
      id: 0,
      memory: this.memory,
      registers: new Float64Array(32),
      nowUs: () => this.nowUs,
      haltUntil: () => undefined,
      countWork: () => undefined,
    } as Partial<Vcpu> as Vcpu;
    this.#server = this.#open();
  }

  #open(): Server {
    return createServer(this.#vcpu, this.streams, { vcpus: 1, seed: SEED });
  }

  /** What a move does: the program is made anew over the same memory. */
  move(): void {
    this.#server = this.#open();
  }

  /** One slice; answers whether there was nothing to do. */
  slice(): boolean {
    const from = performance.now();
    const { isIdle, nextSlot } = this.#server.serve(this.#vcpu, this.#nextSlot);
    this.longestSliceUs = Math.max(this.longestSliceUs, (performance.now() - from) * 1000);
    this.#nextSlot = nextSlot;
    this.slices++;
    return isIdle;
  }

  /** Slices until there is nothing to do. */
  settle(): void {
    for (let slices = 0; slices < SLICES_MAX; slices++) if (this.slice()) return;
    throw new Error('the store does not come to rest');
  }

  /** Sends bytes as fast as the store takes them; answers all that it replies until it rests. */
  ask(bytes: Uint8Array | string, slot = 0): string {
    let rest = Buffer.from(bytes as string, 'latin1');
    const replies: Buffer[] = [];
    do {
      rest = rest.subarray(this.streams.send(slot, rest));
      this.settle();
      for (let piece = this.streams.receive(slot); piece.length > 0; piece = this.streams.receive(slot)) {
        replies.push(piece);
        this.settle();
      }
    } while (rest.length > 0);
    return Buffer.concat(replies).toString('latin1');
  }

  /** A command by its arguments. */
  command(...args: readonly (string | number)[]): string {
    return this.ask(requestOf(args));
  }

  audit(): AuditResult {
    return auditStore(this.memory, this.streams.connections, { seed: SEED });
  }
}

/** A command as its client sends it; each character is a byte. */
export function requestOf(args: readonly (string | number)[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${String(arg).length}\r\n${arg}\r\n`).join('')}`;
}
