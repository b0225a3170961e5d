// Runs the program's own WebAssembly as stepping code: every access of watched memory is a step. Knows the
// instructions that the compiler makes of src/shared/memory/assembly/pages.ts, and says so when it meets another.
import { bitCount32 } from '../../../src/shared/memory/page-bitmap.js';
import { watchedOf, type SharedArray, type Steps } from './steps.js';
import {
  BLOCK,
  BR,
  BR_IF,
  decodeModule,
  ELSE,
  END,
  EXCHANGE_8,
  IF,
  LOOP,
  RETURN,
  type Instruction,
  type Value,
} from './webassembly-binary.js';

/** Bytes of the one memory that the code sees, at `from`; those of no array are 255, as past the guest's page table. */
export interface MemoryPart {
  readonly from: number;
  readonly array: Uint8Array;
  /** So many bytes of it; a scenario may have fewer pages than its table has entries. */
  readonly bytes: number;
}

/** Takes what an exchange takes and does nothing: a change that a test makes. */
const LEFT_OUT = -1;

const PAST_END = 255;

export class SteppingWebAssembly {
  readonly #functions = new Map<string, readonly Instruction[]>();
  readonly #memory: readonly MemoryPart[];

  /** `leavesOutExchanges`: of takeRegion, so that a test can show that it sees them. */
  constructor(binary: Uint8Array, memory: readonly MemoryPart[], leavesOutExchanges = false) {
    this.#memory = memory;
    const { exports, bodies } = decodeModule(binary);
    for (const [name, index] of exports) {
      const body = bodies[index]!;
      this.#functions.set(
        name,
        leavesOutExchanges && name === 'takeRegion'
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
        case 0x2d:
          stack.push(((yield* this.#load(pop() + number, 1)) as Uint8Array)[0]!);
          break;
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
        case 0x69:
          stack.push(bitCount32(pop()));
          break;
        case 0xfd0f:
          stack.push(new Uint8Array(16).fill(pop()));
          break;
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
