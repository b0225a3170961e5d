// The frame of the hashes of a region's pages: a head as that of pages, and 8 bytes for each page that is not zero.
// Pure; what they are compared with is the destination's.
import { ProtocolError } from '../errors.js';
import { encodeFrame } from './frames.js';
import {
  countPages,
  decodeRegionMaps,
  REGION_HEAD_BYTES,
  writeRegionMaps,
  type RegionHead,
} from './page-frames.js';

const HASH_BYTES = 8;

/** HASHES: of the pages of `head.sent` in their order; those of `head.zero` are zero, and so are their hashes. */
export function encodeHashes(head: RegionHead, hashes: readonly bigint[]): Buffer {
  const body = Buffer.alloc(REGION_HEAD_BYTES + hashes.length * HASH_BYTES);
  writeRegionMaps(body, head);
  hashes.forEach((hash, index) => {
    body.writeBigInt64BE(hash, REGION_HEAD_BYTES + index * HASH_BYTES);
  });
  return Buffer.concat(encodeFrame('HASHES', [body]));
}

/** @throws ProtocolError when it is not the hashes of pages of one region, or not as long as they are. */
export function decodeHashes(
  body: Buffer,
  pageCount: number,
): { readonly head: RegionHead; readonly hashes: readonly bigint[] } {
  if (body.length < REGION_HEAD_BYTES)
    throw new ProtocolError(`HASHES of ${body.length} bytes are cut short`);
  const head = decodeRegionMaps(body, pageCount);
  const count = countPages(head.sent);
  if (body.length !== REGION_HEAD_BYTES + count * HASH_BYTES)
    throw new ProtocolError(`the hashes of ${count} pages come in ${body.length} bytes`);
  const hashes = Array.from({ length: count }, (_, index) =>
    body.readBigInt64BE(REGION_HEAD_BYTES + index * HASH_BYTES),
  );
  return { head, hashes };
}
