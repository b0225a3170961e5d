// The lab link: faults on the wire at a chosen message, for tests that must hit every instant of the protocol.
// Set by MICROSTUN_LAB, a JSON list of faults, in the environment of the process whose sending is to be disturbed;
// docs/testing.md. Without it no socket is touched.
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { decodeHeader, FRAME_HEADER_BYTES, type FrameName } from './frames.js';

export interface LabFault {
  /** The message whose sending triggers it, and which one of them (from 1; counted in each thread). */
  readonly message: FrameName;
  readonly nth?: number;
  /** Before its first byte, after half of it, or after its last. For `corrupt`: which byte of it is damaged. */
  readonly when: 'before' | 'middle' | 'after';
  readonly what: 'cut' | 'kill-self' | 'kill-peer' | 'stall' | 'corrupt';
  /** For `kill-peer`: a file that holds the peer's process id. */
  readonly peerPidFile?: string;
  /** Made when it strikes; where it exists already the fault is spent, in whichever thread or process that was. */
  readonly spentFile?: string;
}

let faults: LabFault[] | undefined;
const counts = new Map<FrameName, number>();

function pendingFaults(): LabFault[] {
  faults ??= JSON.parse(process.env['MICROSTUN_LAB'] ?? '[]') as LabFault[];
  return faults;
}

/** Makes `socket` suffer the faults of MICROSTUN_LAB; does nothing when there are none. */
export function connectThroughLab(socket: Socket): void {
  if (pendingFaults().length === 0) return;
  const send = socket.write.bind(socket) as (bytes: Uint8Array, sent?: () => void) => boolean;
  const cutter = new FrameCutter();
  let isCutOff = false;
  const write = (bytes: Uint8Array, sent?: () => void): boolean => {
    if (isCutOff) return true;
    const hit = cutter.find(bytes);
    if (hit === undefined) return send(bytes, sent);
    if (hit.fault.what === 'corrupt') {
      const damaged = Uint8Array.from(bytes);
      damaged[hit.offset]! ^= 0x55;
      return send(damaged, sent);
    }
    isCutOff = hit.fault.what !== 'kill-peer';
    const act = (): void => {
      perform(socket, hit.fault);
      if (!isCutOff) send(bytes.subarray(hit.offset), sent);
    };
    if (hit.offset === 0) act();
    else send(bytes.subarray(0, hit.offset), act);
    while (socket.writableCorked > 0) socket.uncork();
    return true;
  };
  socket.write = write as Socket['write'];
}

function perform(socket: Socket, { what, peerPidFile }: LabFault): void {
  switch (what) {
    case 'cut':
      socket.destroy();
      return;
    case 'kill-self':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'kill-peer':
      if (peerPidFile !== undefined) process.kill(Number(readFileSync(peerPidFile, 'utf8')), 'SIGKILL');
      return;
    case 'stall':
      socket.pause();
      return;
    case 'corrupt':
  }
}

interface Hit {
  readonly fault: LabFault;
  /** Where in the written bytes the fault strikes. */
  readonly offset: number;
}

// Follows the frames in an outgoing stream and finds where a fault strikes.
class FrameCutter {
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the current frame that are still to come, and where in it a fault is due. */
  #bodyLeft = 0;
  #due: { fault: LabFault; bytesUntil: number } | undefined;

  find(bytes: Uint8Array): Hit | undefined {
    let offset = 0;
    let hit: Hit | undefined;
    while (offset < bytes.length || (this.#due?.bytesUntil === 0 && hit === undefined)) {
      if (this.#headerBytes < FRAME_HEADER_BYTES) {
        const take = Math.min(FRAME_HEADER_BYTES - this.#headerBytes, bytes.length - offset);
        this.#header.set(bytes.subarray(offset, offset + take), this.#headerBytes);
        this.#headerBytes += take;
        if (this.#headerBytes < FRAME_HEADER_BYTES) return hit;
        const frameFrom = offset + take - FRAME_HEADER_BYTES;
        offset += take;
        const { name, bodyBytes } = decodeHeader(this.#header);
        this.#bodyLeft = bodyBytes;
        const fault = takeFault(name);
        if (fault !== undefined) {
          const at = strikeOffset(fault, bodyBytes);
          if (frameFrom + at <= offset) hit ??= { fault, offset: Math.max(0, frameFrom + at) };
          else this.#due = { fault, bytesUntil: at - FRAME_HEADER_BYTES };
        }
      }
      const take = Math.min(this.#bodyLeft, bytes.length - offset);
      if (this.#due !== undefined) {
        if (this.#due.bytesUntil <= take) {
          hit ??= { fault: this.#due.fault, offset: offset + this.#due.bytesUntil };
          this.#due = undefined;
        } else this.#due.bytesUntil -= take;
      }
      offset += take;
      this.#bodyLeft -= take;
      if (this.#bodyLeft > 0) break;
      this.#headerBytes = 0;
    }
    return hit;
  }
}

// From the frame's first byte. A damaged byte lies in what the check covers.
function strikeOffset({ when, what, message }: LabFault, bodyBytes: number): number {
  const frameBytes = FRAME_HEADER_BYTES + bodyBytes;
  if (when === 'before') return 0;
  if (when === 'middle')
    return what === 'corrupt' && message === 'PAGES' ? FRAME_HEADER_BYTES + 2 : frameBytes >> 1;
  if (what !== 'corrupt') return frameBytes;
  return message === 'PAGES' ? FRAME_HEADER_BYTES : frameBytes - 1;
}

function takeFault(name: FrameName): LabFault | undefined {
  const pending = pendingFaults();
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  const index = pending.findIndex((fault) => fault.message === name && (fault.nth ?? 1) === count);
  const [fault] = index === -1 ? [] : pending.splice(index, 1);
  return fault !== undefined && spend(fault) ? fault : undefined;
}

// Whether it was not spent yet; only one can make the file.
function spend({ spentFile }: LabFault): boolean {
  if (spentFile === undefined) return true;
  try {
    closeSync(openSync(spentFile, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
