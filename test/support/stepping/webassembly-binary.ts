// The functions of a WebAssembly module as instructions whose branches know where they go.
// Knows the binary format as far as the compiler of src/shared/memory/assembly uses it; runs nothing.

export type Value = number | Uint8Array;

export interface Instruction {
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

export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const RETURN = 0x0f;
export const EXCHANGE_8 = 0xfe43;

/** What a block leaves: nothing, or a word that is on top of the stack at its end. */
const BLOCK_TYPES = [0x40, 0x7f];

export interface DecodedModule {
  /** Function's index by name; none is imported. */
  readonly exports: ReadonlyMap<string, number>;
  readonly bodies: readonly (readonly Instruction[])[];
}

const EXPORTS = 7;
const CODE = 10;

export function decodeModule(binary: Uint8Array): DecodedModule {
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
    if (!BLOCK_TYPES.includes(reader.byte())) throw new Error('a block of this type is unknown here');
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
