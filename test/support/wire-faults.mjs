// A preload for processes under test: faults on the wire at a chosen message, at any instant of the protocol.
// Loaded by `--import` in NODE_OPTIONS, in every thread of a process; WIRE_FAULTS says which faults (docs/testing.md).
// Knows Node's sockets and the built frame header, and nothing else of what is tested.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { decodeHeader, FRAME_HEADER_BYTES } from '../../dist/shared/wire/frames.js';

/** What has not struck in this thread; each is a `WireFault` of wire-faults.ts. */
const pending = JSON.parse(process.env.WIRE_FAULTS ?? '[]').filter(
  ({ isOfWorkers }) => isOfWorkers !== true || !isMainThread,
);
const sentFrames = new Map();
const disturbed = new WeakMap();

if (pending.length > 0) {
  const { write } = Socket.prototype;
  Socket.prototype.write = function (bytes, ...rest) {
    return isOfAPeer(this)
      ? sendThrough(stateOf(this), this, write, bytes, rest)
      : write.call(this, bytes, ...rest);
  };
}

// Not a pipe of this process, and not a relay's, each of whose directions ends by itself: it only passes bytes on.
function isOfAPeer(socket) {
  return socket.remotePort !== undefined && !socket.allowHalfOpen;
}

function stateOf(socket) {
  let state = disturbed.get(socket);
  if (state === undefined) disturbed.set(socket, (state = { cutter: new FrameCutter(), isCutOff: false }));
  return state;
}

function sendThrough(state, socket, write, bytes, rest) {
  if (state.isCutOff) return true;
  const hit = state.cutter.find(bytes);
  if (hit === undefined) return write.call(socket, bytes, ...rest);
  if (hit.fault.what === 'corrupt') {
    const damaged = Uint8Array.from(bytes);
    damaged[hit.offset] ^= 0x55;
    return write.call(socket, damaged, ...rest);
  }
  state.isCutOff = hit.fault.what !== 'kill-peer';
  const act = () => {
    perform(socket, hit.fault);
    if (!state.isCutOff) write.call(socket, bytes.subarray(hit.offset), ...rest);
  };
  if (hit.offset === 0) act();
  else write.call(socket, bytes.subarray(0, hit.offset), act);
  while (socket.writableCorked > 0) socket.uncork();
  return true;
}

function perform(socket, { what, peerPidFile }) {
  switch (what) {
    case 'cut':
      socket.destroy();
      return;
    case 'kill-self':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'kill-peer':
      process.kill(Number(readFileSync(peerPidFile, 'utf8')), 'SIGKILL');
      return;
    case 'stall':
      socket.pause();
      return;
    default:
      throw new Error(`there is no fault "${what}"`);
  }
}

// Follows the frames in an outgoing stream and finds where a fault strikes: the fault, and where in the written bytes.
class FrameCutter {
  #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  // Bytes of the current frame that are still to come, and where in it a fault is due.
  #bodyLeft = 0;
  #due;

  find(bytes) {
    let offset = 0;
    let hit;
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
function strikeOffset({ when, what, message }, bodyBytes) {
  const frameBytes = FRAME_HEADER_BYTES + bodyBytes;
  if (when === 'before') return 0;
  if (when === 'last-byte') return frameBytes - 1;
  if (when === 'middle')
    return what === 'corrupt' && message === 'PAGES' ? FRAME_HEADER_BYTES + 2 : frameBytes >> 1;
  if (what !== 'corrupt') return frameBytes;
  return message === 'PAGES' ? FRAME_HEADER_BYTES : frameBytes - 1;
}

function takeFault(name) {
  const count = (sentFrames.get(name) ?? 0) + 1;
  sentFrames.set(name, count);
  const index = pending.findIndex((fault) => fault.message === name && (fault.nth ?? 1) === count);
  const [fault] = index === -1 ? [] : pending.splice(index, 1);
  return fault !== undefined && spend(fault) ? fault : undefined;
}

// Whether it was not spent yet; only one can make the file.
function spend({ spentFile }) {
  if (spentFile === undefined) return true;
  try {
    closeSync(openSync(spentFile, 'wx'));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}
