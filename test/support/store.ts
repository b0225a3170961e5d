// A key-value store without a machine: its guest memory, streams that a test feeds, and a clock that it sets.
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import type { AuditResult, Vcpu } from '../../src/shared/guest/guest-program.js';
import { bootKeyspace } from '../../src/shared/guest/programs/key-value/keyspace.js';
import { Root } from '../../src/shared/guest/programs/key-value/layout.js';
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
  /** They take turns, a slice each. */
  readonly vcpus?: number;
}

export class Store {
  readonly memory: GuestMemory;
  readonly streams: FakeStreams;
  /** The guest's clock, in microseconds. */
  nowUs = 0;
  slices = 0;
  longestSliceUs = 0;
  readonly #vcpus: readonly Vcpu[];
  #servers: readonly Server[];
  readonly #nextSlots: number[];

  constructor({
    memoryBytes = 8 << 20,
    connections = 4,
    ringBytes = 65_536,
    unixMs = 1_700_000_000_000,
    vcpus = 1,
  }: StoreOptions = {}) {
    const views = guestOf(memoryBytes / PAGE_BYTES);
    this.memory = createGuestMemory(views, { pageFires: 0, waitForPage: () => undefined });
    this.streams = new FakeStreams(connections, ringBytes);
    bootKeyspace(this.memory, connections, memoryBytes, SEED);
    this.memory.storeF64(Root.UNIX_BASE_MS, unixMs);
    this.#vcpus = Array.from({ length: vcpus }, (_, id) => this.#vcpu(id));
    this.#nextSlots = Array.from({ length: vcpus }, (_, id) => id);
    this.#servers = this.#open();
  }

  #vcpu(id: number): Vcpu {
    const vcpu: Partial<Vcpu> = {
      id,
      memory: this.memory,
      registers: new Float64Array(32),
      nowUs: () => this.nowUs,
      haltUntil: () => undefined,
      countWork: () => undefined,
    };
    return vcpu as Vcpu;
  }

  #open(): Server[] {
    const spec = { vcpus: this.#vcpus.length, seed: SEED };
    return this.#vcpus.map((vcpu) => createServer(vcpu, this.streams, spec));
  }

  /** What a move does: the program is made anew over the same memory. */
  move(): void {
    this.#servers = this.#open();
  }

  /** One slice of the vCPU whose turn it is; answers whether there was nothing to do. */
  slice(): boolean {
    const from = performance.now();
    const vcpu = this.slices % this.#vcpus.length;
    const { isIdle, nextSlot } = this.#servers[vcpu]!.serve(this.#vcpus[vcpu]!, this.#nextSlots[vcpu]!);
    this.longestSliceUs = Math.max(this.longestSliceUs, (performance.now() - from) * 1000);
    this.#nextSlots[vcpu] = nextSlot;
    this.slices++;
    return isIdle;
  }

  /** Slices until there is nothing to do. */
  settle(): void {
    let idle = 0;
    for (let slices = 0; slices < SLICES_MAX; slices++) {
      idle = this.slice() ? idle + 1 : 0;
      if (idle === this.#vcpus.length) return;
    }
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
