// Who takes part in the contest of compaction: our own form, the raw bitmap, Roaring, zstd and lz4.
// Packages that the program has no use for are installed into a folder of their own, and left out where that fails.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { compact, encodeRaw, expand } from '../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../src/shared/memory/page-bitmap.js';

export interface Contestant {
  readonly name: string;
  readonly encode: (bitmap: PageBitmap) => Uint8Array;
  readonly decode: (encoded: Uint8Array, pageCount: number) => PageBitmap;
}

export interface Contestants {
  readonly present: readonly Contestant[];
  /** Who does not take part, and why. */
  readonly absent: readonly string[];
}

const ROARING = 'roaring@2.7.0';
const LZ4 = 'lz4-napi@2.10.0';
const ZSTD = '@bokuweb/zstd-wasm@0.0.27';

export async function contestants(): Promise<Contestants> {
  const found = [roaring(), await zstd(), lz4()].flat();
  return {
    present: [ours, raw, ...found.filter((one) => typeof one !== 'string')],
    absent: found.filter((one) => typeof one === 'string'),
  };
}

const ours: Contestant = { name: 'ours', encode: compact, decode: expand };
const raw: Contestant = { name: 'raw', encode: encodeRaw, decode: expand };

interface Roaring {
  runOptimize(): boolean;
  serialize(format: 'portable'): Uint8Array;
  toUint32Array(): Uint32Array;
}
interface RoaringModule {
  readonly RoaringBitmap32: {
    new (pages: Uint32Array): Roaring;
    deserialize(bytes: Uint8Array, format: 'portable'): Roaring;
  };
}

// Its bitmaps are made of page numbers, and are read as such: there is no other way in or out.
function roaring(): Contestant | string {
  const module = installed(ROARING);
  if (typeof module === 'string') return module;
  const { RoaringBitmap32 } = module as RoaringModule;
  return {
    name: 'Roaring',
    encode: (bitmap) => {
      const roaringBitmap = new RoaringBitmap32(pagesOf(bitmap));
      roaringBitmap.runOptimize();
      return roaringBitmap.serialize('portable');
    },
    decode: (encoded, pageCount) => {
      const bitmap = new PageBitmap(pageCount);
      for (const page of RoaringBitmap32.deserialize(encoded, 'portable').toUint32Array()) bitmap.add(page);
      return bitmap;
    },
  };
}

function pagesOf(bitmap: PageBitmap): Uint32Array {
  const pages = new Uint32Array(bitmap.count());
  let at = 0;
  const { words } = bitmap;
  for (let index = 0; index < words.length; index++)
    for (let word = words[index]!; word !== 0; word &= word - 1)
      pages[at++] = index * 32 + (31 - Math.clz32(word & -word));
  return pages;
}

interface ZstdWasm {
  init(): Promise<void>;
  compress(bytes: Uint8Array, level: number): Uint8Array;
  decompress(bytes: Uint8Array): Uint8Array;
}
/** Node.js from 22.15 on; our types are of Node.js 20. */
interface ZstdOfNode {
  readonly zstdCompressSync?: (bytes: Uint8Array, options: { params: Record<number, number> }) => Uint8Array;
  readonly zstdDecompressSync?: (bytes: Uint8Array) => Uint8Array;
}
/** `ZSTD_c_compressionLevel`. */
const LEVEL = 100;

async function zstd(): Promise<readonly (Contestant | string)[]> {
  const { zstdCompressSync: compress, zstdDecompressSync: decompress } = zlib as ZstdOfNode;
  if (compress !== undefined && decompress !== undefined)
    return [1, 3].map((level) =>
      overRaw(`zstd ${level}`, (bytes) => compress(bytes, { params: { [LEVEL]: level } }), decompress),
    );
  const found = installed(ZSTD);
  if (typeof found === 'string') return [found];
  const module = found as ZstdWasm;
  await module.init();
  return [1, 3].map((level) =>
    overRaw(
      `zstd ${level} (WebAssembly)`,
      (bytes) => module.compress(bytes, level),
      (bytes) => module.decompress(bytes),
    ),
  );
}

interface Lz4 {
  compressSync(bytes: Uint8Array): Uint8Array;
  uncompressSync(bytes: Uint8Array): Uint8Array;
}

function lz4(): Contestant | string {
  const found = installed(LZ4);
  if (typeof found === 'string') return found;
  const module = found as Lz4;
  return overRaw(
    'lz4',
    (bytes) => module.compressSync(bytes),
    (bytes) => module.uncompressSync(bytes),
  );
}

function overRaw(
  name: string,
  compress: (bytes: Uint8Array) => Uint8Array,
  decompress: (bytes: Uint8Array) => Uint8Array,
): Contestant {
  return {
    name,
    encode: ({ words }) => compress(Buffer.from(words.buffer, words.byteOffset, words.byteLength)),
    decode: (encoded, pageCount) => {
      const bitmap = new PageBitmap(pageCount);
      new Uint8Array(bitmap.words.buffer).set(decompress(encoded));
      return bitmap;
    },
  };
}

/** The package, or why it is not there. One that is compiled on the spot is so for this Node.js. */
function installed(name: string): object | string {
  const folder = path.join(tmpdir(), `microstun-contest-${process.versions.modules}`);
  const bare = name.slice(0, name.lastIndexOf('@'));
  const require = createRequire(path.join(folder, 'here.cjs'));
  if (!existsSync(path.join(folder, 'node_modules', bare))) {
    mkdirSync(folder, { recursive: true });
    process.stderr.write(`bench: installs ${name} into ${folder} …\n`);
    const bin = path.dirname(process.execPath);
    const { status } = spawnSync('npm', ['install', '--prefix', folder, name], {
      stdio: 'ignore',
      env: {
        ...process.env,
        PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}`,
        npm_config_nodedir: path.dirname(bin),
      },
    });
    if (status !== 0) return `${name} could not be installed`;
  }
  try {
    return require(bare) as object;
  } catch (error) {
    return `${name} cannot be loaded: ${error instanceof Error ? error.message.split('\n')[0]! : String(error)}`;
  }
}
