// Runs the program's own WebAssembly as stepping code: every access of watched memory is a step. Knows the
// instructions that the compiler makes of src/shared/memory/assembly/pages.ts, and says so when it meets another.
import { watchedOf, type SharedArray, type Steps } from './steps.js';

/** Bytes of the one memory that the code sees, at `from`; those of no array are 255, as past the guest's page table. */
export interface MemoryPart {
  readonly from: number;
  readonly array: Uint8Array;
  /** So many bytes of it; a scenario may have fewer pages than its table has entries. */
  readonly bytes: number;
}

type Value = number | Uint8Array;

interface Instruction {
  readonly code: number;
  /** A constant, a local, an offset, or where a branch goes. */
  value: Value;
}

interface Control {
  readonly code: number;
  readonly start: number;
  /** Branches that go to its end, which is not known yet. */
  readonly pending: Instruction[];
}

const BLOCK = 0x02;
const LOOP = 0x03;
const IF = 0x04;
const ELSE = 0x05;
const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const RETURN = 0x0f;
const EXCHANGE_8 = 0xfe43;
/** Takes what an exchange takes and does nothing: a change that a test makes. */
const LEFT_OUT = -1;

const VOID = 0x40;
const PAST_END = 255;

export class SteppingWebAssembly {
  readonly #functions = new Map<string, readonly Instruction[]>();
  readonly #memory: readonly MemoryPart[];

  /** `leavesOutExchanges`: so that a test can show that it sees them. */
  constructor(binary: Uint8Array, memory: readonly MemoryPart[], leavesOutExchanges = false) {
    this.#memory = memory;
    const { exports, bodies } = decodeModule(binary);
    for (const [name, index] of exports) {
      const body = bodies[index]!;
      this.#functions.set(
        name,
        leavesOutExchanges
          ? body.map((one) => (one.code === EXCHANGE_8 ? { ...one, code: LEFT_OUT } : one))
          : body,
      );
    }
  }

  /** Calls an exported function. */
  *call(name: string, ...args: readonly number[]): Steps {
    const code = this.#functions.get(name)!;
    const locals: Value[] = [...args];
    const stack: Value[] = [];
    const pop = (): number => stack.pop() as number;
    const popVector = (): Uint8Array => stack.pop() as Uint8Array;
    for (let at = 0; at < code.length; at++) {
      const { code: operation, value } = code[at]!;
      const number = value as number;
      switch (operation) {
        case BLOCK:
        case LOOP:
        case END:
          break;
        case IF:
          if (pop() === 0) at = number;
          break;
        case BR:
        case ELSE:
          at = number;
          break;
        case BR_IF:
          if (pop() !== 0) at = number;
          break;
        case RETURN:
          return stack.pop();
        case 0x1a:
          stack.pop();
          break;
        case 0x20:
          stack.push(locals[number] ?? 0);
          break;
        case 0x21:
          locals[number] = stack.pop()!;
          break;
        case 0x22:
          locals[number] = stack.at(-1)!;
          break;
        case 0x41:
          stack.push(number);
          break;
        case 0x28: {
          const bytes = (yield* this.#load(pop() + number, 4)) as Uint8Array;
          stack.push(new Int32Array(bytes.buffer)[0]!);
          break;
        }
        case 0x36: {
          const word = Int32Array.of(pop());
          yield* this.#store(pop() + number, new Uint8Array(word.buffer));
          break;
        }
        case 0x3a: {
          const byte = Uint8Array.of(pop());
          yield* this.#store(pop() + number, byte);
          break;
        }
        case 0x45:
          stack.push(pop() === 0 ? 1 : 0);
          break;
        case 0x68: {
          const word = pop();
          stack.push(word === 0 ? 32 : 31 - Math.clz32(word & -word));
          break;
        }
        case 0xfd00:
          stack.push((yield* this.#load(pop() + number, 16)) as Uint8Array);
          break;
        case 0xfd0b: {
          const vector = popVector();
          yield* this.#store(pop() + number, vector);
          break;
        }
        case 0xfd0c:
          stack.push(value);
          break;
        case 0xfd23: {
          const [b, a] = [popVector(), popVector()];
          stack.push(a.map((byte, lane) => (byte === b[lane] ? 255 : 0)));
          break;
        }
        case 0xfd64:
          stack.push(popVector().reduce((bits, byte, lane) => bits | ((byte >>> 7) << lane), 0));
          break;
        case EXCHANGE_8: {
          const operand = pop();
          const address = pop() + number;
          const { array, index } = this.#byteAt(address)!;
          stack.push(
            (yield { kind: 'atomic', name: 'exchange', array, index, operands: [operand] }) as number,
          );
          break;
        }
        case LEFT_OUT:
          pop();
          pop();
          stack.push(0);
          break;
        default:
          stack.push(binary32(operation, pop(), pop()));
      }
    }
    return stack.pop();
  }

  *#load(address: number, count: number): Steps {
    const bytes = new Uint8Array(count).fill(PAST_END);
    for (let nth = 0; nth < count; nth++) {
      const place = this.#byteAt(address + nth);
      if (place === undefined) continue;
      const { array, index } = place;
      bytes[nth] =
        watchedOf(array) === undefined ? array[index]! : ((yield { kind: 'load', array, index }) as number);
    }
    return bytes;
  }

  *#store(address: number, bytes: Uint8Array): Steps {
    for (const [nth, value] of bytes.entries()) {
      const place = this.#byteAt(address + nth);
      if (place === undefined) throw new Error(`a store at ${address + nth} is outside of the guest`);
      const { array, index } = place;
      if (watchedOf(array) === undefined) array[index] = value;
      else yield { kind: 'store', array, index, value };
    }
    return undefined;
  }

  #byteAt(address: number): { readonly array: SharedArray; readonly index: number } | undefined {
    const part = this.#memory.find(({ from, bytes }) => address >= from && address < from + bytes);
    return part === undefined ? undefined : { array: part.array, index: address - part.from };
  }
}

// The right operand is on top of the stack, and so comes first.
function binary32(operation: number, right: number, left: number): number {
  switch (operation) {
    case 0x46:
      return left === right ? 1 : 0;
    case 0x47:
      return left === right ? 0 : 1;
    case 0x49:
      return left >>> 0 < right >>> 0 ? 1 : 0;
    case 0x4a:
      return left > right ? 1 : 0;
    case 0x6a:
      return (left + right) | 0;
    case 0x6b:
      return (left - right) | 0;
    case 0x71:
      return left & right;
    case 0x72:
      return left | right;
    case 0x74:
      return left << right;
    default:
      throw new Error(`instruction 0x${operation.toString(16)} is unknown here`);
  }
}

interface DecodedModule {
  /** Function's index by name; none is imported. */
  readonly exports: ReadonlyMap<string, number>;
  readonly bodies: readonly (readonly Instruction[])[];
}

const EXPORTS = 7;
const CODE = 10;

function decodeModule(binary: Uint8Array): DecodedModule {
  const exports = new Map<string, number>();
  const bodies: Instruction[][] = [];
  const reader = new Reader(binary);
  reader.at = 8;
  while (reader.at < binary.length) {
    const section = reader.byte();
    const end = reader.unsigned() + reader.at;
    if (section === EXPORTS) {
      for (let left = reader.unsigned(); left > 0; left--) {
        const name = Buffer.from(reader.bytes(reader.unsigned())).toString('latin1');
        const kind = reader.byte();
        const index = reader.unsigned();
        if (kind === 0) exports.set(name, index);
      }
    } else if (section === CODE) {
      for (let left = reader.unsigned(); left > 0; left--) bodies.push(decodeBody(reader));
    }
    reader.at = end;
  }
  return { exports, bodies };
}

function decodeBody(reader: Reader): Instruction[] {
  const end = reader.unsigned() + reader.at;
  for (let groups = reader.unsigned(); groups > 0; groups--) {
    reader.unsigned();
    reader.byte();
  }
  const code: Instruction[] = [];
  const open: Control[] = [];
  while (reader.at < end) {
    const instruction = decodeInstruction(reader);
    const at = code.push(instruction) - 1;
    const { code: operation, value } = instruction;
    if (operation === BLOCK || operation === LOOP || operation === IF)
      open.push({ code: operation, start: at, pending: operation === IF ? [instruction] : [] });
    else if (operation === ELSE) {
      const { pending, start } = open.at(-1)!;
      code[start]!.value = at;
      pending.splice(0, 1, instruction);
    } else if (operation === END) for (const branch of open.pop()?.pending ?? []) branch.value = at;
    else if (operation === BR || operation === BR_IF) {
      const target = open.at(-1 - (value as number))!;
      if (target.code === LOOP) instruction.value = target.start;
      else target.pending.push(instruction);
    }
  }
  return code;
}

function decodeInstruction(reader: Reader): Instruction {
  const first = reader.byte();
  const code = first >= 0xfc ? (first << 8) | reader.unsigned() : first;
  const isMemory = (first >= 0x28 && first <= 0x3e) || code === 0xfd00 || code === 0xfd0b || first === 0xfe;
  if (isMemory) {
    reader.unsigned();
    return { code, value: reader.unsigned() };
  }
  if (code === BLOCK || code === LOOP || code === IF) {
    if (reader.byte() !== VOID) throw new Error('a block with a value is unknown here');
    return { code, value: 0 };
  }
  if (code === 0x41) return { code, value: reader.signed() };
  if (code === BR || code === BR_IF || (code >= 0x20 && code <= 0x22))
    return { code, value: reader.unsigned() };
  if (code === 0xfd0c) return { code, value: reader.bytes(16).slice() };
  return { code, value: 0 };
}

class Reader {
  at = 0;
  readonly #binary: Uint8Array;

  constructor(binary: Uint8Array) {
    this.#binary = binary;
  }

  byte(): number {
    return this.#binary[this.at++]!;
  }

  bytes(count: number): Uint8Array {
    this.at += count;
    return this.#binary.subarray(this.at - count, this.at);
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  signed(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return shift + 7 < 32 && (byte & 0x40) !== 0 ? value | (-1 << (shift + 7)) : value;
    }
  }
}
