// The network of a simulation: control connections that carry messages in order until they are cut, page connections
// that carry rounds, and times in which nobody reaches anybody. Knows nothing of what messages mean.
import type { Message } from '../../src/shared/wire/messages.js';
import type { Process, World } from './simulated-world.js';

const DELAY_MS_MAX = 20;
/** How much later than a cut a side may notice it. */
const NOTICE_MS_MAX = 1500;
/** How long a dial into the void lasts. */
const DIAL_MS = 400;

/** One side's end of a control connection. */
export class End {
  readonly process: Process;
  readonly wire: Wire;
  peer: End = this;
  isOpen = true;
  received: (message: Message) => void = () => undefined;
  closed: () => void = () => undefined;
  #lastArrivalAt = 0;

  constructor(process: Process, wire: Wire) {
    this.process = process;
    this.wire = wire;
  }

  send(message: Message): void {
    if (!this.isOpen) return;
    this.peer.#arrive(() => {
      this.peer.received(message);
    });
  }

  /** Closes in order: what was sent arrives first. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.peer.#arrive(() => {
      this.peer.#close();
    });
  }

  /** Learns of a cut, now or later. */
  notice(): void {
    this.process.after(this.process.world.chance.delay(NOTICE_MS_MAX), () => {
      this.#close();
    });
  }

  #close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.closed();
  }

  // In the order of sending; a message that is under way when the connection is cut is lost.
  #arrive(action: () => void): void {
    const { clock, chance } = this.process.world;
    this.#lastArrivalAt = Math.max(this.#lastArrivalAt, clock.now + chance.delay(DELAY_MS_MAX));
    this.process.after(this.#lastArrivalAt - clock.now, () => {
      if (this.isOpen && !this.wire.isCut) action();
    });
  }
}

/** A control connection. */
export class Wire {
  readonly dialler: End;
  readonly listener: End;
  isCut = false;

  constructor(dialler: Process, listener: Process) {
    this.dialler = new End(dialler, this);
    this.listener = new End(listener, this);
    this.dialler.peer = this.listener;
    this.listener.peer = this.dialler;
  }

  get isInUse(): boolean {
    return !this.isCut && (this.dialler.isOpen || this.listener.isOpen);
  }

  cut(): void {
    if (this.isCut) return;
    this.isCut = true;
    this.dialler.notice();
    this.listener.notice();
  }
}

export interface PageEvents {
  connected(): void;
  lost(): void;
  /** A round is placed; at the destination when it came, at the source when that is known. */
  placed(round: number, pages: number): void;
  /** Bytes came on the fault connection. */
  said(frames: Buffer): void;
}

interface Transfer {
  readonly round: number;
  readonly pages: number;
  isPlaced: boolean;
}

/** All page and fault connections of one migration as one: dialled by either side, cut and dialled again. */
export class PageLine {
  readonly #world: World;
  readonly #network: Network;
  readonly #source: Process;
  readonly #atSource: PageEvents;
  #destination: { readonly process: Process; readonly events: PageEvents } | undefined;
  #connection = 0;
  #isListening = true;
  readonly #arrivalAt = { source: 0, destination: 0 };
  #transfer: Transfer | undefined;
  isUp = false;
  /** How often anything came through. */
  moves = 0;

  constructor(network: Network, source: Process, atSource: PageEvents) {
    this.#world = source.world;
    this.#network = network;
    this.#source = source;
    this.#atSource = atSource;
  }

  dial(process: Process, events: PageEvents): void {
    this.#destination = { process, events };
    process.after(this.#world.chance.delay(DELAY_MS_MAX), () => {
      if (this.#destination?.process !== process) return;
      if (this.#isListening && this.#source.isAlive && !this.#network.isDown) this.#connect();
      else events.lost();
    });
  }

  /** The destination listens, and is dialled. */
  awaitSource(process: Process, events: PageEvents): void {
    this.#destination = { process, events };
  }

  /** The source dials; what is up is given up for it. */
  dialDestination(): void {
    const source = this.#source;
    this.#drop();
    source.after(this.#world.chance.delay(DELAY_MS_MAX), () => {
      if (!this.#isListening) return;
      if (this.#destination?.process.isAlive === true && !this.#network.isDown) this.#connect();
      else this.#atSource.lost();
    });
  }

  /** The destination hangs up on a source that is to dial anew: the source hears of it. */
  hangUp(): void {
    if (!this.isUp) return;
    this.#drop();
    const connection = this.#connection;
    this.#source.after(this.#world.chance.delay(NOTICE_MS_MAX), () => {
      if (this.#connection === connection) this.#atSource.lost();
    });
  }

  #drop(): void {
    if (this.isUp) this.#connection++;
    this.isUp = false;
  }

  #connect(): void {
    this.isUp = true;
    this.#connection++;
    this.#soon(this.#source, () => {
      this.#atSource.connected();
    });
    this.#soon(this.#destination!.process, () => {
      this.#destination?.events.connected();
    });
    this.#carry();
  }

  /** Carries a round, over as many connections as it takes. */
  copy(round: number, pages: number): void {
    this.#transfer = { round, pages, isPlaced: false };
    this.#carry();
  }

  /** Says something on the fault connection, in order, unless it is cut before it arrives. */
  say(to: 'source' | 'destination', parts: readonly Uint8Array[]): void {
    const destination = this.#destination;
    if (!this.isUp || destination === undefined) return;
    const connection = this.#connection;
    const [process, events] =
      to === 'source' ? [this.#source, this.#atSource] : [destination.process, destination.events];
    const { clock, chance } = this.#world;
    const arrivalAt = Math.max(this.#arrivalAt[to], clock.now + chance.delay(DELAY_MS_MAX));
    this.#arrivalAt[to] = arrivalAt;
    const frames = Buffer.concat(parts);
    process.after(arrivalAt - clock.now, () => {
      if (this.isUp && this.#connection === connection) events.said(frames);
    });
  }

  cut(): void {
    if (!this.isUp) return;
    this.isUp = false;
    const connection = this.#connection;
    for (const [process, events] of [
      [this.#source, this.#atSource],
      [this.#destination?.process, this.#destination?.events],
    ] as const) {
      process?.after(this.#world.chance.delay(NOTICE_MS_MAX), () => {
        if (this.#connection === connection) events?.lost();
      });
    }
  }

  /** The source listens no more, or is dead. */
  leaveSource(): void {
    this.#isListening = false;
    this.cut();
  }

  leaveDestination(): void {
    this.cut();
    this.#destination = undefined;
  }

  #carry(): void {
    const transfer = this.#transfer;
    const destination = this.#destination;
    if (transfer === undefined || destination === undefined || !this.isUp) return;
    if (transfer.isPlaced) {
      this.#acknowledge(transfer);
      return;
    }
    this.#soon(destination.process, () => {
      if (transfer.isPlaced || this.#transfer !== transfer) return;
      transfer.isPlaced = true;
      this.#destination?.events.placed(transfer.round, transfer.pages);
      this.#acknowledge(transfer);
    });
  }

  // An acknowledgement that is lost is made up for by the next connection's greeting.
  #acknowledge(transfer: Transfer): void {
    this.#soon(this.#source, () => {
      if (this.#transfer !== transfer) return;
      this.#transfer = undefined;
      this.#atSource.placed(transfer.round, transfer.pages);
    });
  }

  #soon(process: Process, action: () => void): void {
    const connection = this.#connection;
    process.after(this.#world.chance.delay(5 * DELAY_MS_MAX), () => {
      if (!this.isUp || this.#connection !== connection) return;
      this.moves++;
      action();
    });
  }
}

/** Who reaches whom. */
export class Network {
  readonly world: World;
  /** While it is down, every dial fails and nothing that was up stays up. */
  isDown = false;
  /** What accepts control connections at the destination's address, if anything does. */
  listener: { readonly process: Process; accept(end: End): void } | undefined;
  readonly lines = new Map<string, PageLine>();
  #wires: Wire[] = [];

  constructor(world: World) {
    this.world = world;
  }

  dial(from: Process, connected: (end: End) => void, failed: () => void): void {
    const { chance } = this.world;
    from.after(chance.delay(DELAY_MS_MAX), () => {
      const { listener } = this;
      if (this.isDown || listener?.process.isAlive !== true) {
        from.after(chance.isTrue(0.3) ? DIAL_MS : 0, failed);
        return;
      }
      const wire = new Wire(from, listener.process);
      this.#wires = this.#wires.filter((one) => one.isInUse);
      this.#wires.push(wire);
      listener.accept(wire.listener);
      connected(wire.dialler);
    });
  }

  cutControl(): void {
    for (const wire of this.#wires) wire.cut();
  }

  cutPages(): void {
    for (const line of this.lines.values()) line.cut();
  }

  takeDown(ms: number): void {
    this.isDown = true;
    this.cutControl();
    this.cutPages();
    this.world.clock.at(this.world.clock.now + ms, () => {
      this.isDown = false;
    });
  }

  /** A process died: its kernel closes its connections in order, or its host is gone as well. */
  bury(process: Process): void {
    for (const wire of this.#wires) {
      if (wire.dialler.process !== process && wire.listener.process !== process) continue;
      if (this.world.chance.isTrue(0.5)) wire.cut();
      else (wire.dialler.process === process ? wire.dialler : wire.listener).close();
    }
  }
}
