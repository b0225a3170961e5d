// All commands by name, found by the bytes of a request; checks what is the same for all of them.
// Knows no connection: a request is executed, and what it answers is in the reply writer.
import { AllocatorFullError } from '../../state/state-error.js';
import { createHashCommands } from './hash-commands.js';
import { createKeyCommands } from './key-commands.js';
import { Message, type Command, type Kit } from './kit.js';
import { createListCommands } from './list-commands.js';
import { createServerCommands, type Session } from './server-commands.js';
import { createSetCommands } from './set-commands.js';
import { createSortedSetCommands } from './sorted-set-commands.js';
import { createStringCommands } from './string-commands.js';

/** Commands that need memory are refused while less is free: what clients wait for, and what is taken apart, needs some. */
const RESERVE_BYTES = 256 * 1024;
/** A request in memory is larger than it was on its way, but by no more than this. */
const BYTES_FOR_AN_ARGUMENT = 128;

/** A power of two, several times as many as there are commands. */
const PLACES = 512;

interface Place {
  readonly name: Uint8Array;
  readonly command: Command;
}

/** Answers a function that executes the kit's request: whether it is done, as the command says. */
export function createCommandTable(kit: Kit, session: Session): () => boolean {
  const commands = new Map<string, Command>();
  const all = {
    ...createStringCommands(kit),
    ...createListCommands(kit),
    ...createHashCommands(kit),
    ...createSetCommands(kit),
    ...createSortedSetCommands(kit),
    ...createKeyCommands(kit),
    ...createServerCommands(kit, session, commands),
  };
  for (const [name, command] of Object.entries(all)) commands.set(name, command);
  const places = new Array<Place | undefined>(PLACES).fill(undefined);
  for (const [name, command] of commands) {
    const bytes = Buffer.from(name, 'latin1');
    let place = placeOf(bytes, 0, bytes.length);
    while (places[place] !== undefined) place = (place + 1) % PLACES;
    places[place] = { name: bytes, command };
  }
  const { keys, reply, request } = kit;
  const { heap } = keys;

  function find(): Command | undefined {
    const from = request.starts[0]!;
    const byteCount = request.lengths[0]!;
    for (let place = placeOf(request.bytes, from, byteCount); ; place = (place + 1) % PLACES) {
      const found = places[place];
      if (found === undefined) return undefined;
      if (isName(found.name, request.bytes, from, byteCount)) return found.command;
    }
  }

  function hasRoom(): boolean {
    const needed = 2 * (request.end - request.starts[0]!) + request.count * BYTES_FOR_AN_ARGUMENT;
    return heap.byteCount - heap.usedBytes > RESERVE_BYTES + needed;
  }

  // As much of the request as helps.
  function unknown(): string {
    const args: string[] = [];
    for (let at = 1, left = 128; at < request.count && left > 0; at++) {
      const text = kit.text(at).split('\0', 1)[0]!.slice(0, left);
      args.push(`'${text}' `);
      left -= text.length + 3;
    }
    return `ERR unknown command '${kit.text(0).slice(0, 128)}', with args beginning with: ${args.join('')}`;
  }

  return () => {
    const command = find();
    if (command === undefined) return kit.fail(unknown());
    const { arity } = command;
    if (arity < 0 ? request.count < -arity : request.count !== arity)
      return kit.failArity(kit.text(0).toLowerCase());
    if (command.needsMemory === true && !hasRoom()) return kit.fail(Message.OUT_OF_MEMORY);
    const before = reply.length;
    try {
      return command.run();
    } catch (error) {
      if (!(error instanceof AllocatorFullError)) throw error;
      reply.length = before;
      return kit.fail(Message.OUT_OF_MEMORY);
    }
  };
}

function placeOf(bytes: Uint8Array, from: number, byteCount: number): number {
  let hash = byteCount;
  for (let at = from; at < from + byteCount; at++) hash = (Math.imul(hash, 31) + (bytes[at]! | 32)) | 0;
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}

function isName(name: Uint8Array, bytes: Uint8Array, from: number, byteCount: number): boolean {
  if (name.length !== byteCount) return false;
  for (let at = 0; at < byteCount; at++) if (name[at] !== (bytes[from + at]! | 32)) return false;
  return true;
}
