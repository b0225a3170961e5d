// The preparation of a place for a guest: its machine, receivers and fetcher, made side by side. Whatever it has made is
// closed when the end comes, at whichever of its awaits that is. Decides nothing; what happens are events.
import { Belongings } from '../shared/belongings.js';
import { asMicrostunError, type MicrostunError } from '../shared/errors.js';
import { SENT_SAMPLE_DOUBLES_MAX } from '../shared/guest/samples.js';
import type { MessageOf } from '../shared/wire/messages.js';
import type { Pass } from '../shared/wire/pass.js';
import type { FetcherEvents } from './faults/fetcher.js';
import type { GuestSize } from './room.js';
import type { Admitted } from './prepare-check.js';
import type {
  IncomingFetcher,
  IncomingHands,
  IncomingMachine,
  IncomingPages,
  IncomingReceivers,
} from './hands.js';
import type { ControlPath, PageWays } from './page-ways.js';
import type { PageAgreement, ReceiverEvents } from './pages/receivers.js';

export interface PreparationEvents {
  readonly receivers: ReceiverEvents;
  readonly fetcher: FetcherEvents;
  failed(error: MicrostunError): void;
  /** The guest can be taken all the same. */
  samplingFailed(error: MicrostunError): void;
  /** Rows of the guest's throughput, as they come. */
  sampled(samples: Float64Array): void;
}

/** Whoever makes what a place consists of. */
export type PlaceMakers<Machine extends IncomingMachine> = Pick<
  IncomingHands<Machine>,
  'memoryReady' | 'machine' | 'release' | 'toucher' | 'pages' | 'ways' | 'receivers' | 'fetcher'
>;

/** A place for a guest: its vCPUs are parked, its source is being connected for pages, and is connected for faults. */
export interface Place<Machine extends IncomingMachine> {
  readonly machine: Machine;
  readonly pages: IncomingPages;
  readonly receivers: IncomingReceivers;
  readonly fetcher: IncomingFetcher;
}

export class Preparation<Machine extends IncomingMachine> {
  readonly #makers: PlaceMakers<Machine>;
  readonly #events: PreparationEvents;
  readonly #gate: SharedArrayBuffer;
  /** All but the machine: a guest that came goes on without them. */
  readonly #helpers = new Belongings();
  readonly #guest = new Belongings();
  #setUp: Promise<unknown> = Promise.resolve();
  #receivers: IncomingReceivers | undefined;
  #fetcher: IncomingFetcher | undefined;

  /** `gate`: the shared word of the gate that stands before the take-over. */
  constructor(events: PreparationEvents, makers: PlaceMakers<Machine>, gate: SharedArrayBuffer) {
    this.#gate = gate;
    this.#events = events;
    this.#makers = makers;
  }

  /**
   * Makes the machine, starts its vCPUs parked, and has the receivers dial meanwhile, or be dialled. Nobody waits for its memory to be
   * touched: a guest may well come before all of it is. One in segments may grow meanwhile, as far as it was admitted.
   * @throws MicrostunError what failed, or CANCELLED when the end came meanwhile.
   */
  run(
    prepare: MessageOf<'PREPARE'>,
    control: ControlPath,
    pass: Pass,
    admitted: Admitted,
  ): Promise<Place<Machine>> {
    const setUp = this.#prepare(prepare, this.#makers.ways(prepare, control), pass, admitted);
    this.#setUp = setUp;
    return setUp;
  }

  /** Dials again what was lost of what there is so far. */
  reconnect(): void {
    this.#receivers?.reconnect();
    this.#fetcher?.reconnect();
  }

  async #prepare(
    { guest, touchedBytes, pageChecks, verifies }: MessageOf<'PREPARE'>,
    ways: PageWays,
    pass: Pass,
    { guestBytesMax, module }: Admitted,
  ): Promise<Place<Machine>> {
    await this.#helpers.wait(this.#makers.memoryReady());
    const failed = (error: MicrostunError): void => {
      this.#events.failed(error);
    };
    const made = this.#makers.machine(guest, module, failed);
    const machine = this.#guest.own(made, async (one) => {
      await one.close();
      this.#makers.release(one);
    });
    // It has a thread to start and a source to reach, and so have the vCPUs: none of them waits for another.
    const receivers = this.#makeReceivers(machine, ways, pass, { pageChecks, verifies });
    this.#makeToucher(machine, touchedBytes);
    await this.#helpers.wait(machine.start(false));
    // Its worker is started now: that takes milliseconds of this thread.
    machine.prepareSampling(
      SENT_SAMPLE_DOUBLES_MAX,
      (error) => {
        this.#events.samplingFailed(error);
      },
      (samples) => {
        this.#events.sampled(samples);
      },
    );
    this.#helpers.own(machine, (one) => one.stopSampling());
    const fetcher = await this.#makeFetcher(
      { machine, gate: this.#gate, receivers, size: { touchedBytes, guestBytesMax } },
      ways,
      pass,
    );
    return { machine, pages: this.#makers.pages(machine), receivers, fetcher };
  }

  #makeReceivers(machine: Machine, ways: PageWays, pass: Pass, agreed: PageAgreement): IncomingReceivers {
    const made = this.#makers.receivers(machine, ways, pass, this.#events.receivers, agreed);
    const receivers = this.#helpers.own(made, (one) => one.close());
    this.#receivers = receivers;
    receivers.start();
    return receivers;
  }

  // Nobody waits for it: a host that allows no further thread takes the guest without.
  #makeToucher(machine: Machine, touchedBytes: number): void {
    try {
      this.#helpers.own(this.#makers.toucher(machine, touchedBytes), (one) => one.close());
    } catch (error) {
      if (asMicrostunError(error, 'WORKER_FAILED').code !== 'WORKER_FAILED') throw error;
    }
  }

  /** Resolves once it is connected: a guest that ran before its faults can be answered would wait for the push. */
  async #makeFetcher(
    place: {
      readonly machine: Machine;
      readonly gate: SharedArrayBuffer;
      readonly receivers: IncomingReceivers;
      readonly size: GuestSize;
    },
    ways: PageWays,
    pass: Pass,
  ): Promise<IncomingFetcher> {
    const { fetcher: events } = this.#events;
    let connected = (): void => undefined;
    const isReady = new Promise<void>((resolve) => {
      connected = resolve;
    });
    const made = this.#makers.fetcher(place, ways, pass, {
      ...events,
      connected: () => {
        events.connected();
        connected();
      },
    });
    const fetcher = this.#helpers.own(made, (one) => one.close());
    this.#fetcher = fetcher;
    await this.#helpers.wait(isReady);
    return fetcher;
  }

  /**
   * The end, whether or not it is prepared: resolves when the set-up has stopped, and all that it made, the machine
   * included unless it is kept, is closed.
   */
  async close(keepsMachine: boolean): Promise<void> {
    // A thread that ends holds the lock of this process's address space for a while, and a guest that touches memory waits
    // for it: not for all of them at once.
    await (keepsMachine ? this.#helpers.closeInTurn() : this.#helpers.close());
    // Now its own threads are the last that have its memory.
    if (!keepsMachine) await this.#guest.close();
    // Its waits are over, so it is: whatever it made meanwhile is closed at once.
    await this.#setUp.catch(() => undefined);
    await this.#helpers.close();
    if (!keepsMachine) await this.#guest.close();
  }
}
