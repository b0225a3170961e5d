// The web server of the live view: its page, the feed of patches, and the report once there is one.
// Knows what to serve from whoever made it; nothing of migrations.
import type { Server } from 'node:http';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import { streamSSE } from 'hono/streaming';
import { MicrostunError } from '../../shared/errors.js';
import { after } from '../../shared/timers.js';
import { listenComplaint, type Address } from '../../shared/wire/sockets.js';
import type { LiveCursor } from '../../html/live/feed.js';
import type { LivePatch } from '../../html/live/patch.js';
import type { Bulletin } from './bulletin.js';
import { refusalOf } from './request-check.js';
import type { Viewers } from './viewers.js';

/** Where the report is, from the page's own place. */
export const REPORT_PATH = 'report';

/** A viewer that has nothing new to see hears this often that the connection is alive. */
const QUIET_MS_MAX = 10_000;
/** Sockets at the most: viewers have one each, and a few requests besides. */
const CONNECTIONS_MAX = 64;
/** What is still being sent when the server closes may take this long. */
const CLOSE_MS = 500;

/** What is served. */
export interface LiveContent {
  readonly page: string;
  /** There is something new. */
  readonly bulletin: Bulletin;
  readonly viewers: Viewers;
  /** The whole report; undefined when there is none, or not yet. */
  report(): string | undefined;
  /** What is new since `cursor`. */
  patchSince(cursor: LiveCursor | undefined): { readonly patch: LivePatch; readonly next: LiveCursor };
}

export class LiveServer {
  readonly #server: Server;
  readonly #content: LiveContent;
  readonly #closing = new AbortController();
  readonly #feeds = new Set<Promise<void>>();
  #bound: Address;

  /**
   * Serves `content` at `address`; port 0 is any free one.
   * @throws MicrostunError LISTEN_FAILED naming the address and the remedy.
   */
  static async open(address: Address, content: LiveContent): Promise<LiveServer> {
    const server = new LiveServer(address, content);
    await server.#listen(address);
    return server;
  }

  private constructor(address: Address, content: LiveContent) {
    this.#content = content;
    this.#bound = address;
    const app = this.#routes(address.host);
    this.#server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server;
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Where it really listens. */
  get bound(): Address {
    return this.#bound;
  }

  #routes(host: string): Hono<{ Bindings: HttpBindings }> {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.use(async (c, next) => {
      const refusal = refusalOf(
        {
          host: c.req.header('host'),
          origin: c.req.header('origin'),
          secFetchSite: c.req.header('sec-fetch-site'),
          secFetchMode: c.req.header('sec-fetch-mode'),
        },
        { bound: this.#bound, host },
      );
      if (refusal !== undefined) return c.text(`${refusal}\n`, 403);
      await next();
      c.header('Cache-Control', 'no-store');
      return undefined;
    });
    // What scripts and connections a page may have is in the page itself, by a hash.
    app.use(
      secureHeaders({
        contentSecurityPolicy: { frameAncestors: ["'none'"] },
        xFrameOptions: 'DENY',
        strictTransportSecurity: false,
      }),
    );
    app.get('/', (c) => c.html(this.#content.page));
    app.get(`/${REPORT_PATH}`, (c) => {
      const report = this.#content.report();
      return report === undefined ? c.text('There is no report, or not yet.\n', 404) : c.html(report);
    });
    app.get('/events', (c) => {
      const viewer = this.#content.viewers.admit(() => c.env.outgoing.destroy());
      if (viewer === undefined) return c.text('Too many pages of this live view are open.\n', 503);
      return streamSSE(c, async (stream) => {
        stream.onAbort(() => {
          viewer.leave();
        });
        const feed = this.#feed(
          (text) => viewer.takes(stream.write(text)),
          () => stream.aborted,
        );
        this.#feeds.add(feed);
        try {
          await feed;
        } finally {
          this.#feeds.delete(feed);
          viewer.leave();
        }
      });
    });
    return app;
  }

  /** Sends what is new as fast as the viewer takes it, and not faster: who is slow gets fewer, larger patches. */
  async #feed(send: (text: string) => Promise<void>, isGone: () => boolean): Promise<void> {
    const { bulletin } = this.#content;
    let cursor: LiveCursor | undefined;
    let seen = -1;
    while (!isGone()) {
      if (seen === bulletin.issue) {
        // A comment: a connection that is dead without a word is noticed by it.
        await send(':\n\n');
      } else {
        seen = bulletin.issue;
        const { patch, next } = this.#content.patchSince(cursor);
        cursor = next;
        await send(`data: ${JSON.stringify(patch)}\n\n`);
      }
      if (this.#closing.signal.aborted) return;
      await bulletin.after(seen, QUIET_MS_MAX);
    }
  }

  async #listen(address: Address): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          new MicrostunError('LISTEN_FAILED', listenComplaint(address, error, '--dashboard'), {
            cause: error,
          }),
        );
      });
      this.#server.listen(address.port, address.host, resolve);
    });
    // From now on its troubles are its viewers' alone, never the migration's.
    this.#server.on('error', () => undefined);
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('a TCP server has no address');
    this.#bound = { host: bound.address, port: bound.port };
  }

  /** Sends every viewer what is last, then closes. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#content.bulletin.publish();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    const cut = after(CLOSE_MS, () => {
      this.#server.closeAllConnections();
    });
    await Promise.allSettled(this.#feeds);
    this.#server.closeIdleConnections();
    await closed;
    cut.cancel();
  }
}
