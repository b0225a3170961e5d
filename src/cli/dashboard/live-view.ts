// The live view of a run: samples the guest and its migration, keeps their history, serves it, and says how it ended.
// Watches only; a run with a live view does what it does without one.
import { monotonicUs } from '../../shared/clock.js';
import type { GuestMachine } from '../../shared/guest/machine.js';
import { renderHtml } from '../../html/html-report.js';
import { abortedParts, completedParts, failedParts } from '../../html/live/end.js';
import { patchSince, type LiveEnd } from '../../html/live/feed.js';
import { renderLivePage, type LiveSubject } from '../../html/live/page.js';
import { LiveHistory, type WatchedMigration } from '../../html/live/history.js';
import type { FailureReport, MigrationReport } from '../../report/document.js';
import { formatAddress, type Address } from '../../shared/wire/sockets.js';
import { Bulletin } from './bulletin.js';
import { LiveServer, REPORT_PATH } from './server.js';
import { StallWatch } from './stall-watch.js';
import { Viewers } from './viewers.js';

const SAMPLE_MS = 100;
/** Viewers are told of so many samples at a time; within the stun, which is nobody's time to draw in, of more. */
const SAMPLES_TOLD = 2;
const SAMPLES_TOLD_IN_STUN = 10;

/** How long a view that nobody has opened waits for somebody: at a terminal for a person, elsewhere for nobody. */
const FIRST_VIEWER_MS = { terminal: 60_000, elsewhere: 3000 } as const;

export class LiveView {
  readonly #history = new LiveHistory(monotonicUs());
  readonly #bulletin = new Bulletin();
  readonly #viewers = new Viewers();
  readonly #stalls = new StallWatch();
  #server: LiveServer | undefined;
  #migration: WatchedMigration | undefined;
  #timer: NodeJS.Timeout | undefined;
  #untold = 0;
  #end: LiveEnd | undefined;
  #report: MigrationReport | undefined;

  /**
   * Serves the live view of what `subject` describes at `address`.
   * @throws MicrostunError LISTEN_FAILED when it cannot be served there.
   */
  static async open(address: Address, subject: LiveSubject): Promise<LiveView> {
    const view = new LiveView();
    view.#server = await LiveServer.open(address, {
      page: renderLivePage(subject),
      bulletin: view.#bulletin,
      viewers: view.#viewers,
      report: () => (view.#report === undefined ? undefined : renderHtml(view.#report)),
      patchSince: (cursor) => patchSince(cursor, view.#history, subject.stunBudgetMs, view.#end),
    });
    return view;
  }

  /** Where it is served, for people. */
  get where(): string {
    const { host, port } = this.#server!.bound;
    const url = (name: string): string => `http://${formatAddress({ host: name, port })}/`;
    return host === '0.0.0.0' || host === '::'
      ? `${url('127.0.0.1')} and all other addresses of this host`
      : url(host);
  }

  /** Samples `machine` from now on. */
  watch(machine: GuestMachine): void {
    this.#timer = setInterval(() => {
      this.#sample(machine);
    }, SAMPLE_MS);
    this.#sample(machine);
  }

  /** The migration of the machine that is watched. */
  follow(migration: WatchedMigration): void {
    this.#migration = migration;
  }

  #sample(machine: GuestMachine): void {
    const phase = this.#migration?.snapshot.phase;
    // What the guest does now, it does for its audit.
    if (phase === 'ended') return;
    const { work, firstSliceAt } = machine.counters();
    const longestStallUs = this.#stalls.longestSince(machine.gapCounts());
    this.#history.note(
      { atUs: monotonicUs(), pages: work, longestStallUs },
      !firstSliceAt.includes(0),
      this.#migration,
    );
    const isInStun = phase === 'stopping' || phase === 'handing-over';
    if (++this.#untold >= (isInStun ? SAMPLES_TOLD_IN_STUN : SAMPLES_TOLD)) this.#tell();
  }

  #tell(): void {
    this.#untold = 0;
    this.#bulletin.publish();
  }

  /** Shows how the migration ended. */
  conclude(document: MigrationReport | FailureReport): void {
    if (document.outcome === 'completed') {
      this.#report = document;
      this.#finish({ state: 'completed', parts: completedParts(document, REPORT_PATH) });
    } else {
      this.#finish({ state: 'failed', parts: failedParts(document) });
    }
  }

  /** Shows why there is nothing more to see, unless it is known already how the migration ended. */
  abort(message: string): void {
    if (this.#end === undefined) this.#finish({ state: 'failed', parts: abortedParts(message) });
  }

  #finish(end: LiveEnd): void {
    clearInterval(this.#timer);
    this.#end = end;
    this.#tell();
  }

  /** Waits until the last viewer has gone; not for long when there was none, and no longer than `signal` lets it. */
  async linger(say: (text: string) => void, signal: AbortSignal): Promise<void> {
    const firstMs = process.stderr.isTTY ? FIRST_VIEWER_MS.terminal : FIRST_VIEWER_MS.elsewhere;
    if (this.#viewers.count > 0) say('the live view stays until its last page is closed, or until Ctrl-C');
    else if (!this.#viewers.haveBeen)
      say(`nobody has opened the live view; it ends in ${firstMs / 1000} s, or at Ctrl-C`);
    await this.#viewers.gone(firstMs, signal);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server?.close();
  }
}
