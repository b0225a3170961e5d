// A guest for QEMU in one boot sector: fills its memory with words that no compression helps, says so, and then writes a
// hot set flat out, one word a page, or halts. Made here byte by byte, so that a comparison needs no image and no compiler;
// in 64 bits with paging, as a guest of today runs.
import { PAGE_BYTES } from '../src/shared/memory/pages.js';

const SECTOR_BYTES = 512;
/** More than the firmware reads. */
const DISK_BYTES = 2880 * SECTOR_BYTES;
const FIRST_BYTE = 0x10_0000;

/** Said on the serial port once all of memory is filled. */
export const READY = 'R';

const le32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

/** 16 bits, at 0x7c00: page tables, and the way to 64 bits. */
const ENTRY_CODE = [
  // The A20 gate.
  [0xfa], // cli
  [0x31, 0xc0], // xor ax, ax
  [0x8e, 0xd8], // mov ds, ax
  [0x8e, 0xc0], // mov es, ax
  [0xe4, 0x92], // in al, 0x92
  [0x0c, 0x02], // or al, 2
  [0xe6, 0x92], // out 0x92, al
  // Page tables from 0x1000 on: 4 GiB as they are, in pages of 2 MiB.
  [0xbf, 0x00, 0x10], // mov di, 0x1000
  [0xb9, 0x00, 0x18], // mov cx, words
  [0x66, 0x31, 0xc0], // xor eax, eax
  [0x66, 0xf3, 0xab], // rep stosd
  ...[0, 1, 2, 3, 4].map((table) => [
    // mov dword [entry], next table, present and writable: one in the first, four in the second
    ...[0x66, 0xc7, 0x06, ...(table === 0 ? [0x00, 0x10] : [8 * (table - 1), 0x20])],
    ...le32(0x2003 + 0x1000 * table),
  ]),
  [0xbf, 0x00, 0x30], // mov di, 0x3000
  [0xb9, 0x00, 0x08], // mov cx, 2048
  [0x66, 0xb8, ...le32(0x83)], // mov eax, present, writable, large
  [0x66, 0x89, 0x05], // entry: mov [di], eax
  [0x66, 0x05, ...le32(0x20_0000)], // add eax, 2 MiB
  [0x83, 0xc7, 0x08], // add di, 8
  [0x49], // dec cx
  [0x75, 0xf1], // jnz entry
  // Long mode.
  [0x66, 0xb8, ...le32(0x1000)], // mov eax, 0x1000
  [0x0f, 0x22, 0xd8], // mov cr3, eax
  [0x0f, 0x20, 0xe0], // mov eax, cr4
  [0x0c, 0x20], // or al, PAE
  [0x0f, 0x22, 0xe0], // mov cr4, eax
  [0x66, 0xb9, ...le32(0xc000_0080)], // mov ecx, EFER
  [0x0f, 0x32], // rdmsr
  [0x80, 0xcc, 0x01], // or ah, LME
  [0x0f, 0x30], // wrmsr
  [0x66, 0x0f, 0x01, 0x16, 0x10, 0x7d], // lgdt [0x7d10]
  [0x0f, 0x20, 0xc0], // mov eax, cr0
  [0x66, 0x0d, ...le32(0x8000_0001)], // or eax, PG | PE
  [0x0f, 0x22, 0xc0], // mov cr0, eax
  [0xea, 0x96, 0x7c, 0x08, 0x00], // jmp 8:0x7c96
].flat();

/** The disk of a guest of `memoryBytes` that writes `hotSetBytes` of them flat out; 0: it halts. */
export function bootDisk(memoryBytes: number, hotSetBytes: number): Buffer {
  const code = [
    ENTRY_CODE,
    // 64 bits: fill from 1 MiB on.
    [0x66, 0xb8, 0x10, 0x00], // mov ax, 0x10
    [0x8e, 0xd8], // mov ds, eax
    [0x8e, 0xc0], // mov es, eax
    [0x8e, 0xd0], // mov ss, eax
    [0xbf, ...le32(FIRST_BYTE)], // mov edi, 1 MiB
    [0xb9, ...le32((memoryBytes - FIRST_BYTE) / 4)], // mov ecx, words
    [0xb8, ...le32(0x9e3779b9)], // mov eax, seed
    [0x89, 0x07], // fill: mov [rdi], eax
    [0x69, 0xc0, ...le32(1664525)], // imul eax, eax, 1664525
    [0x05, ...le32(1013904223)], // add eax, 1013904223
    [0x83, 0xc7, 0x04], // add edi, 4
    [0xff, 0xc9], // dec ecx
    [0x75, 0xec], // jnz fill
    [0xba, ...le32(0x3f8)], // mov edx, serial port
    [0xb0, READY.charCodeAt(0)], // mov al, 'R'
    [0xee], // out dx, al
    [0xbf, ...le32(FIRST_BYTE)], // again: mov edi, 1 MiB
    [0xb9, ...le32(hotSetBytes / PAGE_BYTES)], // mov ecx, pages
    [0x85, 0xc9], // test ecx, ecx
    [0x74, 0x0e], // jz idle
    [0xff, 0x07], // next: inc dword [rdi]
    [0x81, 0xc7, ...le32(PAGE_BYTES)], // add edi, page
    [0xff, 0xc9], // dec ecx
    [0x75, 0xf4], // jnz next
    [0xeb, 0xe4], // jmp again
    [0xf4], // idle: hlt
    [0xeb, 0xfd], // jmp idle
  ].flat();
  const disk = Buffer.alloc(DISK_BYTES);
  disk.set(code);
  // The GDT: nothing, code of 64 bits, data; and where it lies.
  disk.set([0xff, 0xff, 0, 0, 0, 0x9a, 0xaf, 0], 0xf8);
  disk.set([0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0], 0x100);
  disk.set([23, 0, 0xf0, 0x7c, 0, 0], 0x110);
  disk.set([0x55, 0xaa], SECTOR_BYTES - 2);
  return disk;
}
