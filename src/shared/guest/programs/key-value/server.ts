// Serves the clients of a store: takes whole commands out of their rings, executes them, and puts the replies into others.
// All that it keeps lies in guest memory when a slice ends; it knows no command.
import type { Vcpu } from '../../guest-program.js';
import { createCommandTable } from './command-table.js';
import { createKit, type Progress } from './kit.js';
import { openKeyspace } from './keyspace.js';
import { Is, NO_JOB, Root, slotGpa, SlotState } from './layout.js';
import { createPendingReplies } from './pending-replies.js';
import { ReplyWriter } from './reply-writer.js';
import { Parsed, Request } from './request-parser.js';
import type { Session } from './server-commands.js';
import type { Streams } from './streams.js';

/** A slice is about so much work: a command is 1, and so are some KiB that it brings or answers. */
const SLICE_UNITS = 48;
const UNIT_BYTES = 4096;
/** As much as a slice looks at of what a client sent, unless a single command is longer. */
const PEEK_BYTES = 16_384;
const REPLY_BYTES = 65_536;
/** Entries that a slice takes apart, and keys that it lets expire, beside its work. */
const COLLECT_ENTRIES = 64;
const EXPIRE_KEYS = 16;

/** What a slice did: whether there may be more to do at once. */
export interface Server {
  /** One slice's work for the slots of one vCPU, from `firstSlot` on; the store is this vCPU's alone meanwhile. */
  serve(vcpu: Vcpu, firstSlot: number): { isIdle: boolean; nextSlot: number };
  /** What the guest's clock reads when the next key expires; Infinity when none does. */
  nextExpiryUs(): number;
}

export function createServer(
  vcpu: Vcpu,
  streams: Streams,
  { vcpus, seed }: { vcpus: number; seed: number },
): Server {
  const { memory } = vcpu;
  const { connections, ringBytes } = streams;
  const keys = openKeyspace(memory, connections, seed);
  const request = new Request(ringBytes);
  const reply = new ReplyWriter(REPLY_BYTES);
  const progress: Progress = { at: 0, a: 0, b: 0 };
  const session: Session = { client: 0, isLeaving: false, countClients };
  const kit = createKit(memory, keys, request, reply, progress);
  const execute = createCommandTable(kit, session);
  const pending = createPendingReplies(memory, keys.heap, streams);
  const input = new Uint8Array(ringBytes);
  const shortInput = input.subarray(0, Math.min(PEEK_BYTES, ringBytes));
  let units = 0;
  let commands = 0;

  const clockMs = (): number => Math.floor(memory.loadF64(Root.UNIX_BASE_MS) + vcpu.nowUs() / 1000);

  function endConnection(slot: number, gpa: number): void {
    pending.drop(gpa);
    memory.store32(gpa + SlotState.STATUS, 0);
    streams.close(slot);
  }

  function welcome(gpa: number): void {
    const client = memory.loadF64(Root.CONNECTIONS) + 1;
    memory.storeF64(Root.CONNECTIONS, client);
    memory.storeF64(gpa + SlotState.CLIENT, client);
    memory.store32(gpa + SlotState.STATUS, Is.SERVED);
  }

  function beginOrResume(slot: number): void {
    const isJob = memory.load32(Root.JOB_SLOT) === slot;
    progress.at = isJob ? memory.loadF64(Root.JOB_AT) : 0;
    progress.a = isJob ? memory.loadF64(Root.JOB_A) : 0;
    progress.b = isJob ? memory.loadF64(Root.JOB_B) : 0;
  }

  function saveJob(slot: number): void {
    memory.store32(Root.JOB_SLOT, slot);
    memory.storeF64(Root.JOB_AT, progress.at);
    memory.storeF64(Root.JOB_A, progress.a);
    memory.storeF64(Root.JOB_B, progress.b);
    memory.storeF64(Root.JOB_NOW_MS, keys.nowMs);
  }

  // Executes what has come as a whole, as much as a slice may; answers how many bytes are done with.
  function executeAll(slot: number, from: number, to: number): number {
    let at = from;
    while (units > 0) {
      const parsed = request.parse(input, at, to);
      if (parsed === Parsed.PARTLY) break;
      if (parsed === Parsed.WRONG) {
        reply.error(request.complaint);
        session.isLeaving = true;
        return to;
      }
      if (parsed === Parsed.COMMAND) {
        const replyFrom = reply.length;
        beginOrResume(slot);
        if (!execute()) {
          saveJob(slot);
          units = 0;
          break;
        }
        if (memory.load32(Root.JOB_SLOT) === slot) memory.store32(Root.JOB_SLOT, NO_JOB);
        commands++;
        units -= 1 + (request.end - at + reply.length - replyFrom) / UNIT_BYTES;
      }
      at = request.end;
      if (session.isLeaving) return to;
    }
    return at;
  }

  function writeReplies(slot: number, gpa: number): void {
    if (reply.length === 0) return;
    const bytes = reply.bytes.subarray(0, reply.length);
    const written = pending.has(gpa) ? 0 : streams.write(slot, bytes);
    reply.length = 0;
    if (written === bytes.length || pending.keep(gpa, bytes.subarray(written))) return;
    // A client whose replies there is no memory for hears no more.
    pending.drop(gpa);
    session.isLeaving = true;
  }

  function work(slot: number, gpa: number): number {
    const readable = streams.readable(slot);
    if (readable === 0) return 0;
    session.client = memory.loadF64(gpa + SlotState.CLIENT);
    let peeked = streams.peek(slot, shortInput);
    let done = executeAll(slot, 0, peeked);
    if (done === 0 && peeked === shortInput.length && readable > peeked && units > 0) {
      peeked = streams.peek(slot, input);
      done = executeAll(slot, 0, peeked);
    }
    if (done > 0) streams.consume(slot, session.isLeaving ? readable : done);
    writeReplies(slot, gpa);
    if (session.isLeaving) memory.store32(gpa + SlotState.STATUS, Is.LEAVING);
    return done;
  }

  // Answers whether there may be more to do for it at once.
  function serveSlot(slot: number): boolean {
    const gpa = slotGpa(slot);
    const state = streams.state(slot);
    if (state === 'free') return false;
    const isJob = memory.load32(Root.JOB_SLOT) === slot;
    if (state === 'lost' && !isJob) {
      endConnection(slot, gpa);
      return true;
    }
    const status = memory.load32(gpa + SlotState.STATUS);
    if (status === 0) welcome(gpa);
    if (pending.has(gpa)) pending.flush(slot, gpa);
    if (pending.has(gpa) && !isJob) return false;
    session.isLeaving = false;
    if (status === Is.LEAVING && !isJob) {
      endConnection(slot, gpa);
      return true;
    }
    const done = work(slot, gpa);
    if (done > 0 || units <= 0) return true;
    // What is left of a command that never comes to its end.
    if (state === 'ended') endConnection(slot, gpa);
    return state === 'ended';
  }

  function serveAll(vcpuId: number, firstSlot: number): { isIdle: boolean; nextSlot: number } {
    let slot = firstSlot;
    let isIdle = true;
    for (let left = Math.ceil((connections - vcpuId) / vcpus); left > 0 && units > 0; left--) {
      if (serveSlot(slot)) isIdle = false;
      slot += vcpus;
      if (slot >= connections) slot = vcpuId;
    }
    return { isIdle, nextSlot: slot };
  }

  function countClients(): number {
    let clients = 0;
    for (let slot = 0; slot < connections; slot++)
      if (memory.load32(slotGpa(slot) + SlotState.STATUS) !== 0) clients++;
    return clients;
  }

  return {
    serve({ id }, firstSlot) {
      units = SLICE_UNITS;
      const job = memory.load32(Root.JOB_SLOT);
      keys.nowMs = job === NO_JOB ? clockMs() : memory.loadF64(Root.JOB_NOW_MS);
      let outcome = { isIdle: false, nextSlot: firstSlot };
      if (job !== NO_JOB) serveSlot(job);
      else {
        keys.expireDue(EXPIRE_KEYS);
        outcome = serveAll(id, firstSlot);
      }
      if (commands > 0) {
        memory.storeF64(Root.COMMANDS, memory.loadF64(Root.COMMANDS) + commands);
        commands = 0;
      }
      if (memory.loadF64(Root.GARBAGE) !== 0 && keys.collect(COLLECT_ENTRIES)) outcome.isIdle = false;
      return outcome;
    },
    nextExpiryUs: () => (keys.nextExpiryMs() - memory.loadF64(Root.UNIX_BASE_MS)) * 1000,
  };
}
