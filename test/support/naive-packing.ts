// The packed form of a bitmap as docs/protocol.md describes it, page by page and number by number: what the kernels must
// write. Slow on purpose; knows nothing of src.

const BLOCK = 2 ** 20;
const FAN = 16;
const LEAF = 4096;
export const Kind = { CLEAR: 0, SET: 1, RAW: 2, POSITIONS: 3, HOLES: 4, RUNS: 5, SPLIT: 6 } as const;

interface Form {
  readonly kind: number;
  readonly body: readonly number[];
  readonly weight: number;
}

/** What follows the header. `pages`: the set ones, in order. */
export function packNaively(pages: readonly number[], pageCount: number): number[] {
  const forms: Form[] = [];
  for (let first = 0; first < pageCount; first += BLOCK)
    forms.push(lightest(partOf(pages, first, BLOCK), Math.min(BLOCK, pageCount - first), BLOCK));
  while (forms.at(-1)?.kind === Kind.CLEAR) forms.pop();
  const bytes: number[] = [];
  for (let at = 0; at < forms.length;) {
    const { kind, body } = forms[at]!;
    let many = 1;
    if (kind === Kind.CLEAR || kind === Kind.SET) while (forms[at + many]?.kind === kind) many++;
    bytes.push(...leb128((many - 1) * 8 + kind), ...body);
    at += many;
  }
  return bytes;
}

function partOf(pages: readonly number[], first: number, size: number): number[] {
  return pages.filter((page) => page >= first && page < first + size).map((page) => page - first);
}

function lightest(set: readonly number[], pageCount: number, size: number): Form {
  if (set.length === 0) return { kind: Kind.CLEAR, body: [], weight: 0 };
  if (set.length === pageCount) return { kind: Kind.SET, body: [], weight: 0 };
  const forms = [raw(set, pageCount), positions(set, pageCount), holes(set, pageCount), runs(set, pageCount)];
  if (size > LEAF) forms.push(split(set, pageCount, size / FAN));
  return forms.reduce((best, form) => (form.weight < best.weight ? form : best));
}

function raw(set: readonly number[], pageCount: number): Form {
  const body = Array<number>(Math.ceil(pageCount / 8)).fill(0);
  for (const page of set) body[page >> 3]! |= 1 << (page & 7);
  return { kind: Kind.RAW, body, weight: body.length };
}

function positions(set: readonly number[], pageCount: number, kind: number = Kind.POSITIONS): Form {
  const bits = folded(
    set.map((page, nth) => page - nth),
    pageCount - set.length,
  );
  const body = [...leb128(set.length), ...bytesOf(bits)];
  return { kind, body, weight: body.length + 2 * set.length };
}

function holes(set: readonly number[], pageCount: number): Form {
  const members = new Set(set);
  const clear = Array.from({ length: pageCount }, (_, page) => page).filter((page) => !members.has(page));
  return positions(clear, pageCount, Kind.HOLES);
}

function runs(set: readonly number[], pageCount: number): Form {
  const members = new Set(set);
  const starts = set.filter((page) => !members.has(page - 1));
  const ends = set.filter((page) => !members.has(page + 1));
  const setUpTo = ends.map((end) => set.indexOf(end) + 1);
  const clearBefore = starts.map((start) => start - set.indexOf(start));
  const bits = [
    ...folded(
      clearBefore.map((clear, nth) => clear - nth),
      pageCount - set.length - (starts.length - 1),
    ),
    ...folded(
      setUpTo.slice(0, -1).map((upTo, nth) => upTo - nth - 1),
      set.length - starts.length,
    ),
  ];
  const body = [...leb128(set.length), ...leb128(starts.length), ...bytesOf(bits)];
  return { kind: Kind.RUNS, body, weight: body.length + 4 * starts.length };
}

function split(set: readonly number[], pageCount: number, size: number): Form {
  const children = Array.from({ length: FAN }, (_, nth) =>
    lightest(partOf(set, nth * size, size), Math.min(size, Math.max(0, pageCount - nth * size)), size),
  );
  const kinds = children.flatMap(({ kind }) => [kind & 1, (kind >> 1) & 1, kind >> 2]);
  return {
    kind: Kind.SPLIT,
    body: [...bytesOf(kinds), ...children.flatMap(({ body }) => body)],
    weight: children.reduce((total, { weight }) => total + weight, 6),
  };
}

/** Bits of ascending numbers up to `last`: the low ones of each, then the rest in unary. */
function folded(numbers: readonly number[], last: number): number[] {
  const count = numbers.length;
  if (count === 0) return [];
  let low = 0;
  while (count * 2 ** (low + 1) <= last) low++;
  const lowBits = numbers.flatMap((number) => Array.from({ length: low }, (_, bit) => (number >> bit) & 1));
  const marks = Array<number>(count + Math.floor(last / 2 ** low)).fill(0);
  numbers.forEach((number, nth) => {
    marks[nth + (number >> low)] = 1;
  });
  return [...lowBits, ...marks];
}

function bytesOf(bits: readonly number[]): number[] {
  const bytes = Array<number>(Math.ceil(bits.length / 8)).fill(0);
  bits.forEach((bit, at) => {
    bytes[at >> 3]! |= bit << (at & 7);
  });
  return bytes;
}

export function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
}
