// A real migration between two processes, recorded connection by connection, both ways, by a relay between them.
// The destination dials its source for pages: the relay listens in between, so PREPARE names its ports instead.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { FRAME_HEADER_BYTES, FrameReader, FrameType } from '../../../src/shared/wire/frames.js';
import {
  decodeMessage,
  encodeMessage,
  messageNames,
  type Message,
} from '../../../src/shared/wire/messages.js';
import { headBytesOf } from '../../../src/shared/wire/page-frames.js';
import { PAGE_BYTES, REGION_PAGES } from '../../../src/shared/memory/pages.js';
import { framesOf, mended } from './mutations.js';
import { quick, reportOf, runCli, startDestination } from '../cli.js';

/** What was said on one connection. Of page connections there are several. */
export interface RecordedConnection {
  readonly role: 'control' | 'pages' | 'faults';
  readonly fromSource: Buffer;
  readonly fromDestination: Buffer;
}

type Role = RecordedConnection['role'];
type Side = 'fromSource' | 'fromDestination';

/** Moves a guest with these flags of its source; answers what was said. */
export async function recordMigration(...flags: readonly string[]): Promise<RecordedConnection[]> {
  const { destination, to } = await startDestination(['--run-for', '0ms']);
  const recorder = new Recorder();
  const port = await recorder.listen('control', Number(to.split(':')[1]));
  const args = ['--once', '--json', '--to', `127.0.0.1:${port}`, ...quick];
  reportOf(await runCli('source', ...args, ...flags));
  await destination.ended;
  recorder.close();
  return recorder.connections;
}

/** Changes what a destination says on a connection before its source hears it: frame by frame, all of them in order. */
export type Tamper = (role: RecordedConnection['role'], frame: Buffer) => readonly Buffer[];

/** Stands between a source and a destination, keeps what is said, and passes it on as it is or tampered with. */
export class Recorder {
  readonly #tamper: Tamper | undefined;
  readonly #servers: Server[] = [];
  readonly #recorded: { readonly role: Role; readonly chunks: Record<Side, Buffer[]> }[] = [];

  constructor(tamper?: Tamper) {
    this.#tamper = tamper;
  }

  get connections(): RecordedConnection[] {
    return this.#recorded.map(({ role, chunks }) => ({
      role,
      fromSource: Buffer.concat(chunks.fromSource),
      fromDestination: Buffer.concat(chunks.fromDestination),
    }));
  }

  /** Takes connections for whoever listens on `port`; answers where. */
  async listen(role: Role, port: number): Promise<number> {
    const server = createServer({ noDelay: true }, (dialler) => {
      this.#relay(role, dialler, connect({ port, host: '127.0.0.1', noDelay: true }));
    });
    this.#servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    for (const server of this.#servers) server.close();
  }

  #relay(role: Role, dialler: Socket, listener: Socket): void {
    const chunks: Record<Side, Buffer[]> = { fromSource: [], fromDestination: [] };
    this.#recorded.push({ role, chunks });
    // The source dials for control alone.
    const [source, destination] = role === 'control' ? [dialler, listener] : [listener, dialler];
    const reader = new FrameReader(messageNames);
    let said = Promise.resolve();
    source.on('data', (chunk: Buffer) => {
      if (role !== 'control') {
        chunks.fromSource.push(chunk);
        destination.write(chunk);
        return;
      }
      for (const frame of reader.consume(chunk))
        said = said.then(async () => {
          const bytes = Buffer.concat(encodeMessage(await this.#rerouted(decodeMessage(frame))));
          chunks.fromSource.push(bytes);
          destination.write(bytes);
        });
    });
    let begun: Buffer = Buffer.alloc(0);
    destination.on('data', (chunk: Buffer) => {
      chunks.fromDestination.push(chunk);
      if (this.#tamper === undefined) {
        source.write(chunk);
        return;
      }
      begun = Buffer.concat([begun, chunk]);
      for (const frame of framesOf(begun)) {
        for (const said of this.#tamper(role, frame)) source.write(said);
        begun = begun.subarray(frame.length);
      }
    });
    for (const [one, other] of [
      [source, destination],
      [destination, source],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => {
        void said.then(() => other.end());
      });
    }
  }

  async #rerouted(message: Message): Promise<Message> {
    if (message.name !== 'PREPARE') return message;
    const pagePorts = await Promise.all(message.pagePorts.map((port) => this.listen('pages', port)));
    return { ...message, pagePorts, faultPort: await this.listen('faults', message.faultPort) };
  }
}

/** Pages that `shortened` leaves in a frame. */
const SHORT_PAGES_MAX = 4;

/** A PAGES frame with the first few of its pages; every other frame as it is. */
export function shortened(frame: Buffer): Buffer {
  if (frame[0] !== FrameType.PAGES) return frame;
  const head = Buffer.from(frame.subarray(0, FRAME_HEADER_BYTES + headBytesOf(frame[1]!)));
  let pages = 0;
  for (let page = 0; page < REGION_PAGES; page++) {
    const at = FRAME_HEADER_BYTES + 8 + (page >>> 3);
    if (((head[at]! >>> (page & 7)) & 1) === 0) continue;
    if (pages < SHORT_PAGES_MAX) pages++;
    else head[at]! &= ~(1 << (page & 7));
  }
  const pagesEnd = head.length + pages * PAGE_BYTES;
  return mended(Buffer.concat([head, frame.subarray(head.length, pagesEnd)]));
}
