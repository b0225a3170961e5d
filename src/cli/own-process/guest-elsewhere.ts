// A migration whose guest people bring, as the node has it: the guest and its migration live in a process of their own, and
// the control connection's messages are passed on. When that process dies, the source is told, and nobody else suffers.
// Knows what its guest's process tells (notices.ts); decides nothing that the migration decides.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PlacedMigration } from '../../destination/placed-migration.js';
import { farewellOf } from './farewell.js';
import { environmentFor } from './marker.js';
import { MicrostunError } from '../../shared/errors.js';
import type { GuestSpec } from '../../shared/guest/guest-program.js';
import type { ControlConnection, ControlEvents, UnclaimedConnection } from '../../shared/wire/control.js';
import type { Message } from '../../shared/wire/messages.js';
import type { GuestEnd, GuestHost } from '../hosted-guest.js';
import { passContinueOn } from '../paused-guest.js';
import { onWakeCall } from '../wake-calls.js';
import { heard, told, type GuestNotice, type MigrationMirror, type NodeNotice } from './notices.js';

/** How the migration of a guest ended that lives elsewhere; the guest's process hosts it from there on. */
export type ElsewhereResult =
  | { readonly kind: 'refused'; readonly error: MicrostunError }
  | { readonly kind: 'elsewhere'; readonly guest: GuestElsewhere; readonly isRunning: boolean };

const UNTOLD: MigrationMirror = {
  phase: 'greeted',
  isHandedOver: false,
  isSourceMissed: false,
  isRefusable: true,
  isAtGate: false,
  lastMessages: [],
};

interface InUse {
  readonly number: number;
  readonly connection: ControlConnection;
  /** Whether a silent peer is taken for dead already. */
  readonly isWatched: boolean;
}

type PeerOf = Pick<UnclaimedConnection, 'peerHost' | 'localHost' | 'peerCertificate'>;

export class GuestElsewhere implements PlacedMigration<ElsewhereResult> {
  readonly id: string;
  readonly ticket: string;
  readonly spec: GuestSpec;
  readonly #child: ChildProcess;
  #mirror = UNTOLD;
  #inUse: InUse | undefined;
  #connections = 0;
  /** Of the connection in use: what was passed on and not looked at yet, and what was sent. */
  #unhandled = 0;
  #sent = 0;
  /** Why it died, if it did before its guest was over. */
  #death: MicrostunError | undefined;
  readonly #changed = new Set<() => void>();
  #host: GuestHost | undefined;
  #isForwarding = false;
  /** It has said how its guest ended. */
  #isOver = false;
  #unwake = (): void => undefined;
  #migrated: (result: ElsewhereResult) => void = () => undefined;
  readonly #result = new Promise<ElsewhereResult>((resolve) => {
    this.#migrated = resolve;
  });
  #over: (end: GuestEnd) => void = () => undefined;
  readonly #end = new Promise<GuestEnd>((resolve) => {
    this.#over = resolve;
  });

  /** Starts the process; `module`: the guest's code. */
  constructor(id: string, ticket: string, spec: GuestSpec, module: string) {
    this.id = id;
    this.spec = spec;
    this.ticket = ticket;
    // This very command, so that it has the same flags; a Ctrl-C at the terminal is the node's to handle.
    this.#child = fork(fileURLToPath(new URL('../main.js', import.meta.url)), process.argv.slice(2), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: environmentFor('guest'),
      serialization: 'advanced',
      detached: true,
    });
    passContinueOn(this.#child);
    this.#child.on('message', (notice) => {
      this.#hear(notice as GuestNotice);
    });
    this.#child.on('error', (error) => {
      this.#died(`could not be started: ${error.message}`);
    });
    this.#child.on('exit', (status, signal) => {
      this.#died(signal === null ? `ended with status ${status}` : `was ended by ${signal}`);
    });
    this.#tell({ kind: 'begin', migrationId: id, ticket, module });
  }

  /** Of its process, while that is there. */
  get pid(): number | undefined {
    return this.#death === undefined ? this.#child.pid : undefined;
  }

  get phase(): MigrationMirror['phase'] {
    return this.#mirror.phase;
  }

  get isHandedOver(): boolean {
    return this.#mirror.isHandedOver;
  }

  get isSourceMissed(): boolean {
    return this.#mirror.isSourceMissed;
  }

  get isAbandoned(): boolean {
    return this.#inUse === undefined && this.#mirror.isRefusable;
  }

  get lastMessages(): readonly Message[] {
    return this.#mirror.lastMessages;
  }

  attach(offered: UnclaimedConnection): void {
    const connection: ControlConnection = offered.claim(this.#eventsOf(() => connection));
    this.#use(connection, offered, false);
  }

  /** As `attach`, of a connection that was claimed, and is watched, by whoever saw what it is for: its events come here. */
  take(connection: ControlConnection, peer: PeerOf): ControlEvents {
    this.#use(connection, peer, true);
    return this.#eventsOf(() => connection);
  }

  #use(connection: ControlConnection, peer: PeerOf, isWatched: boolean): void {
    const before = this.#inUse?.connection;
    const number = ++this.#connections;
    this.#inUse = { number, connection, isWatched };
    this.#unhandled = 0;
    this.#sent = 0;
    before?.destroy();
    const { peerHost, localHost, peerCertificate } = peer;
    this.#tell({ kind: 'attach', connection: number, peerHost, localHost, peerCertificate });
  }

  #eventsOf(own: () => ControlConnection | undefined): ControlEvents {
    const numberInUse = (): number | undefined =>
      this.#inUse !== undefined && this.#inUse.connection === own() ? this.#inUse.number : undefined;
    return {
      received: (received) => {
        const connection = numberInUse();
        if (connection === undefined) return;
        this.#unhandled++;
        this.#tell({ kind: 'received', connection, ...received });
      },
      backlog: () => this.#unhandled,
      closed: (error) => {
        const connection = numberInUse();
        if (connection === undefined) return;
        this.#inUse = undefined;
        this.#tell({ kind: 'closed', connection, error: error && told(error) });
      },
    };
  }

  async makeWay(): Promise<void> {
    this.#tell({ kind: 'make-way' });
    while (this.#mirror.isRefusable && this.#death === undefined && this.#mirror.phase !== 'ended')
      await new Promise<void>((resolve) => {
        this.#changed.add(resolve);
      });
  }

  cancel(reason: string): void {
    this.#tell({ kind: 'cancel', reason });
  }

  run(): Promise<ElsewhereResult> {
    return this.#result;
  }

  /** From the end of its migration to its own. */
  live(host: GuestHost): Promise<GuestEnd> {
    this.#host = host;
    if (this.#death !== undefined) this.#sayDeath(this.#death);
    const mayForward = host.args.forwardTo !== undefined && host.takeHop();
    this.#tell({ kind: 'live', mayForward });
    return this.#end;
  }

  /** Nobody wants the guest any more (CANCELLED), or it cannot go on. */
  end(reason: MicrostunError): void {
    this.#tell({ kind: 'end', reason: told(reason) });
  }

  /** Cancels its forwarding; answers whether one was under way. */
  cancelForwarding(reason: string): boolean {
    if (this.#isForwarding) this.#tell({ kind: 'cancel-forwarding', reason });
    return this.#isForwarding;
  }

  #tell(notice: NodeNotice): void {
    // It may be gone, which its exit says.
    if (this.#child.connected) this.#child.send(notice, () => undefined);
  }

  #hear(notice: GuestNotice): void {
    switch (notice.kind) {
      case 'mirror':
        this.#mirror = notice.mirror;
        this.#tellChange();
        return;
      case 'migrated':
        this.#migrated(
          notice.result === 'refused' && notice.error !== undefined
            ? { kind: 'refused', error: heard(notice.error) }
            : { kind: 'elsewhere', guest: this, isRunning: notice.result === 'running' },
        );
        return;
      case 'say':
        this.#host?.say(notice.text);
        return;
      case 'forwarding':
        this.#note(notice.isUnderWay);
        return;
      case 'hop-returned':
        this.#host?.returnHop();
        return;
      case 'forwarded':
        this.#host?.forwarded(notice.document, notice.status);
        return;
      case 'over':
        this.#isOver = true;
        this.#endWith(notice.end, notice.end.error && heard(notice.end.error));
        return;
      default:
        this.#hearOfControl(notice);
    }
  }

  #hearOfControl(notice: Extract<GuestNotice, { readonly connection: number }>): void {
    if (this.#inUse?.number !== notice.connection) return;
    const { number, connection } = this.#inUse;
    switch (notice.kind) {
      case 'send':
        connection.send(notice.message);
        this.#tell({ kind: 'queued', connection: number, sent: ++this.#sent, bytes: connection.queuedBytes });
        return;
      case 'expect-life':
        if (!this.#inUse.isWatched) connection.expectLife(notice.ms);
        return;
      case 'handled':
        this.#unhandled -= notice.messages;
        return;
      case 'hang-up':
        this.#inUse = undefined;
        if (notice.isAbrupt) connection.destroy();
        else connection.end();
    }
  }

  #note(isForwarding: boolean): void {
    this.#isForwarding = isForwarding;
    this.#unwake();
    this.#unwake = isForwarding ? onWakeCall(() => this.#child.kill('SIGUSR2')) : () => undefined;
  }

  #endWith({ outcome, guest }: Pick<GuestEnd, 'outcome' | 'guest'>, error: MicrostunError | undefined): void {
    this.#note(false);
    this.#over({ outcome, ...(guest && { guest }), ...(error && { error }) });
  }

  // Only what its guest does can end it so: the guest is gone with it.
  #died(how: string): void {
    if (this.#death !== undefined) return;
    const { isRefusable, isAtGate, phase } = this.#mirror;
    const whose = isAtGate ? ', and whether the guest had come by then its source knows' : '';
    this.#death = new MicrostunError('GUEST_FAILED', `the process of the guest ${how}${whose}`);
    if (phase !== 'ended') {
      const answer = farewellOf(this.#death, isRefusable && !isAtGate);
      this.#mirror = { ...this.#mirror, phase: 'ended', isHandedOver: false, lastMessages: [answer] };
      this.#inUse?.connection.send(answer);
    }
    this.#inUse?.connection.end();
    this.#inUse = undefined;
    this.#migrated(
      isRefusable
        ? { kind: 'refused', error: this.#death }
        : { kind: 'elsewhere', guest: this, isRunning: false },
    );
    if (!this.#isOver) this.#sayDeath(this.#death);
    this.#endWith({ outcome: 'failed' }, this.#death);
    this.#tellChange();
  }

  #sayDeath({ message }: MicrostunError): void {
    this.#host?.say(`the guest cannot go on: ${message}`);
  }

  #tellChange(): void {
    for (const resolve of this.#changed) resolve();
    this.#changed.clear();
  }
}
