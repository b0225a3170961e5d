// The connections of a service that gateways carry: all those of one gateway on one connection, each resumable by its counts,
// which lie in guest memory and move with the guest. Knows rings and frames; how a gateway comes in is stream-door.ts's.
import { STREAM_BYTES_MAX } from '../frame-limits.js';
import { DeviceRegister } from '../guest/devices/device-state.js';
import { SlotStatus } from '../guest/devices/slot-words.js';
import type { StreamPorts } from '../guest/devices/stream-ports.js';
import type { Time } from '../time.js';
import type { Connection } from '../wire/connection.js';
import { FrameReader } from '../wire/frames.js';
import {
  decodeStreamMessage,
  encodeStreamMessage,
  GATEWAY_FRAMES,
  type StreamMessage,
} from '../wire/stream-frames.js';
import type { BackEnd } from './device-host.js';
import { newStream, noteMessage, type Gateway, type Stream } from './gateway-streams.js';

/** A gateway that stays away for so long has given its clients up: they are lost to the guest. */
const GATEWAY_AWAY_MS_MAX = 60_000;
/** With more than this on its way to a gateway, nothing more is taken out of rings for it. */
const QUEUED_BYTES_MAX = 4 << 20;

export class CarriedStreams implements BackEnd {
  readonly #ports: StreamPorts;
  readonly #registers: Float64Array;
  readonly #schedule: () => void;
  readonly #after: Time['after'];
  readonly #gateways = new Map<number, Gateway>();
  #hasServed = false;

  constructor(ports: StreamPorts, registers: Float64Array, schedule: () => void, after: Time['after']) {
    this.#ports = ports;
    this.#registers = registers;
    this.#schedule = schedule;
    this.#after = after;
  }

  /** Gateway `id` is connected. What it said before and is not in guest memory, it says again. */
  attach(id: number, connection: Connection): void {
    const gateway = this.#gatewayOf(id);
    gateway.link?.destroy();
    gateway.link = connection;
    gateway.away?.cancel();
    gateway.isGivenUp = false;
    gateway.isTold = false;
    gateway.outbox = [];
    const reader = new FrameReader(GATEWAY_FRAMES);
    connection.own({
      names: { own: 'the connection of a gateway', peer: 'the gateway' },
      reads: {
        take: (chunk) => {
          for (const frame of reader.consume(chunk))
            noteMessage(gateway, decodeStreamMessage(frame), this.#ports.ringBytes);
          this.#schedule();
        },
      },
      lost: () => {
        if (gateway.link !== connection) return;
        gateway.link = undefined;
        this.#awaitReturn(gateway);
      },
    });
    this.#schedule();
  }

  #gatewayOf(id: number): Gateway {
    let gateway = this.#gateways.get(id);
    if (gateway === undefined) {
      gateway = {
        id,
        link: undefined,
        isTold: false,
        away: undefined,
        isGivenUp: false,
        streams: new Map(),
        outbox: [],
      };
      this.#gateways.set(id, gateway);
    }
    return gateway;
  }

  // It may be that nothing else ever happens at this device: the time itself is a reason to look.
  #awaitReturn(gateway: Gateway): void {
    gateway.away?.cancel();
    // One that was away before its guest came is awaited anew.
    gateway.isGivenUp = false;
    gateway.away = this.#after(GATEWAY_AWAY_MS_MAX, () => {
      gateway.isGivenUp = true;
      this.#schedule();
    });
  }

  serve(): boolean {
    if (!this.#hasServed) this.#meetThoseWhoCame();
    this.#hasServed = true;
    let isNews = false;
    for (const gateway of this.#gateways.values()) {
      if (gateway.link !== undefined && !gateway.isTold) this.#tellOwner(gateway);
      if (gateway.isGivenUp) isNews = this.#giveUp(gateway) || isNews;
      else if (gateway.link !== undefined)
        for (const entry of gateway.streams) isNews = this.#serveStream(gateway, ...entry) || isNews;
      this.#acknowledge(gateway);
    }
    return isNews;
  }

  // A guest that has come brings the streams of gateways that are to find it here.
  #meetThoseWhoCame(): void {
    for (let slot = 0; slot < this.#ports.connections; slot++) {
      if (this.#ports.status(slot) === SlotStatus.FREE) continue;
      const { gateway, stream } = this.#ports.carrier(slot);
      if (gateway !== 0) this.#gatewayOf(gateway).streams.set(stream, { ...newStream(), slot });
    }
    for (const gateway of this.#gateways.values()) if (gateway.link === undefined) this.#awaitReturn(gateway);
  }

  // What was under way on an earlier connection does not count: both sides go on from what is in guest memory.
  #tellOwner(gateway: Gateway): void {
    for (const [number, stream] of gateway.streams) {
      // One that has a slot stays until that is free, though the gateway may know it no more: then it says so again.
      if (stream.slot === undefined) {
        gateway.streams.delete(number);
        continue;
      }
      const inCount = this.#ports.inCount(stream.slot);
      const outCount = this.#ports.outCount(stream.slot);
      Object.assign(stream, {
        ...newStream(),
        slot: stream.slot,
        inCount,
        sent: outCount,
        arrived: outCount,
      });
    }
    gateway.isTold = true;
    this.#say(gateway, {
      name: 'STREAM_OWNER',
      owner: {
        guest: this.#registers[DeviceRegister.GUEST]!,
        moves: this.#registers[DeviceRegister.MOVES]!,
        ringBytes: this.#ports.ringBytes,
        streams: Array.from(gateway.streams, ([number, { inCount, sent }]) => ({
          stream: number,
          inCount,
          outCount: sent,
        })),
      },
    });
  }

  #giveUp(gateway: Gateway): boolean {
    let isNews = false;
    for (const [number, { slot }] of gateway.streams) {
      if (slot === undefined) gateway.streams.delete(number);
      else if (this.#ports.isClosed(slot)) this.#free(gateway, number, slot);
      else if (this.#ports.status(slot) !== SlotStatus.LOST) {
        this.#ports.setStatus(slot, SlotStatus.LOST);
        isNews = true;
      }
    }
    if (gateway.streams.size === 0) this.#gateways.delete(gateway.id);
    return isNews;
  }

  #free(gateway: Gateway, number: number, slot: number): void {
    this.#ports.free(slot);
    gateway.streams.delete(number);
    // Somebody who waits for a slot may have been looked at before this.
    this.#schedule();
  }

  // Answers whether the guest has reason to look.
  #serveStream(gateway: Gateway, number: number, stream: Stream): boolean {
    let isNews = false;
    if (stream.slot === undefined) {
      if (stream.isForgotten || stream.end === 'gone') {
        gateway.streams.delete(number);
        this.#say(gateway, { name: 'STREAM_CLOSED', stream: number });
        return false;
      }
      stream.slot = this.#ports.open({ gateway: gateway.id, stream: number });
      if (stream.slot === undefined) return false;
      this.#registers[DeviceRegister.CONNECTIONS]!++;
      stream.isAckDue = true;
      isNews = true;
    }
    const { slot } = stream;
    isNews = this.#bringIn(stream, slot) || isNews;
    isNews = this.#takeOut(gateway, number, stream, slot) || isNews;
    return this.#settle(gateway, number, stream, slot) || isNews;
  }

  #bringIn(stream: Stream, slot: number): boolean {
    const byteCount = stream.pending.give((bytes) => this.#ports.put(slot, bytes));
    this.#registers[DeviceRegister.BYTES_IN]! += byteCount;
    stream.inCount = (stream.inCount + byteCount) >>> 0;
    stream.isAckDue ||= byteCount > 0;
    return byteCount > 0;
  }

  #takeOut(gateway: Gateway, number: number, stream: Stream, slot: number): boolean {
    const released = (stream.arrived - this.#ports.outCount(slot)) >>> 0;
    const isNews = released > 0 && this.#ports.release(slot, released);
    if (gateway.link === undefined || gateway.link.queuedBytes > QUEUED_BYTES_MAX) return isNews;
    const skipped = (stream.sent - stream.arrived) >>> 0;
    const waiting = this.#ports.waiting(slot) - skipped;
    if (waiting <= 0 || stream.end === 'gone') return isNews;
    const bytes = Buffer.allocUnsafe(Math.min(waiting, STREAM_BYTES_MAX));
    this.#ports.peek(slot, bytes, skipped);
    this.#say(gateway, { name: 'STREAM_BYTES', stream: number, from: stream.sent, bytes });
    stream.sent = (stream.sent + bytes.length) >>> 0;
    this.#registers[DeviceRegister.BYTES_OUT]! += bytes.length;
    if (waiting > bytes.length) this.#schedule();
    return isNews;
  }

  // The ends of a stream, on either side: its slot is free once both know that it is over.
  #settle(gateway: Gateway, number: number, stream: Stream, slot: number): boolean {
    const isClosed = this.#ports.isClosed(slot);
    if (stream.isForgotten && isClosed) {
      this.#free(gateway, number, slot);
      return false;
    }
    const isOver = stream.isForgotten || stream.end === 'gone';
    if (isClosed && !stream.isClosedTold && (isOver || this.#ports.waiting(slot) === 0)) {
      stream.isClosedTold = true;
      this.#say(gateway, { name: 'STREAM_CLOSED', stream: number });
    }
    if (isClosed) return false;
    const status = this.#ports.status(slot);
    if (isOver && status !== SlotStatus.LOST) {
      this.#ports.setStatus(slot, SlotStatus.LOST);
      return true;
    }
    if (stream.end === 'ended' && stream.pending.byteCount === 0 && status === SlotStatus.OPEN) {
      this.#ports.setStatus(slot, SlotStatus.ENDED);
      return true;
    }
    return false;
  }

  #acknowledge(gateway: Gateway): void {
    const counts: [number, number][] = [];
    for (const [number, stream] of gateway.streams) {
      if (!stream.isAckDue) continue;
      stream.isAckDue = false;
      counts.push([number, stream.inCount]);
    }
    if (counts.length > 0) this.#say(gateway, { name: 'STREAM_ACK', counts });
  }

  #say(gateway: Gateway, message: StreamMessage): void {
    gateway.outbox.push(...encodeStreamMessage(message));
  }

  send(): void {
    for (const gateway of this.#gateways.values()) {
      if (gateway.outbox.length === 0) continue;
      // While it takes no more, it is asked again once it does.
      const isFull = (gateway.link?.queuedBytes ?? 0) > QUEUED_BYTES_MAX;
      gateway.link?.write(gateway.outbox, isFull ? this.#schedule : undefined);
      gateway.outbox = [];
    }
  }

  close(): Promise<void> {
    for (const { link, away } of this.#gateways.values()) {
      away?.cancel();
      link?.end();
    }
    return Promise.resolve();
  }
}
