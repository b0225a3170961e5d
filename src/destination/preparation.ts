// The preparation of a place for a guest: its machine, receivers and fetcher, made one after the other. Whatever it has
// made is closed when the end comes, at whichever of its awaits that is. Decides nothing; what happens are events.
import { monotonicUs } from '../shared/clock.js';
import { Belongings } from '../shared/belongings.js';
import type { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { GuestMachine } from '../shared/guest/machine.js';
import { SENT_SAMPLE_DOUBLES_MAX } from '../shared/guest/samples.js';
import type { MessageOf } from '../shared/wire/messages.js';
import { Fetcher, type FetcherEvents } from './faults/fetcher.js';
import { ReceiverPool, type ReceiverEvents } from './pages/receivers.js';

/** What it is made of; a test gives parts that it holds in its hand. */
export interface PreparationParts {
  machine(spec: GuestSpec, failed: (error: MicrostunError) => void): GuestMachine;
  receivers(
    machine: GuestMachine,
    host: string,
    ports: readonly number[],
    id: string,
    events: ReceiverEvents,
  ): ReceiverPool;
  fetcher(machine: GuestMachine, host: string, port: number, id: string, events: FetcherEvents): Fetcher;
}

export const realParts: PreparationParts = {
  machine: (spec, failed) => new GuestMachine(spec, { failed }),
  receivers: (machine, host, ports, id, events) => new ReceiverPool(machine.shared, host, ports, id, events),
  fetcher: (machine, host, port, id, events) => new Fetcher(machine, { host, port }, id, events),
};

export interface PreparationEvents {
  readonly receivers: Omit<ReceiverEvents, 'touched'>;
  readonly fetcher: FetcherEvents;
  failed(error: MicrostunError): void;
  /** The guest can be taken all the same. */
  samplingFailed(error: MicrostunError): void;
  /** Rows of the guest's throughput, as they come. */
  sampled(samples: Float64Array): void;
}

export class Preparation {
  readonly #parts: PreparationParts;
  readonly #events: PreparationEvents;
  /** All but the machine: a guest that came goes on without them. */
  readonly #helpers = new Belongings();
  readonly #guest = new Belongings();
  #setUp: Promise<unknown> = Promise.resolve();
  #machine: GuestMachine | undefined;
  #receivers: ReceiverPool | undefined;
  #fetcher: Fetcher | undefined;

  constructor(events: PreparationEvents, parts: PreparationParts = realParts) {
    this.#events = events;
    this.#parts = parts;
  }

  /** Once it is made. */
  get machine(): GuestMachine | undefined {
    return this.#machine;
  }

  get receivers(): ReceiverPool | undefined {
    return this.#receivers;
  }

  get fetcher(): Fetcher | undefined {
    return this.#fetcher;
  }

  /**
   * Makes the machine, starts its vCPUs parked, and has the receivers touch memory and dial; answers how long it took,
   * in milliseconds.
   * @throws MicrostunError what failed, or CANCELLED when the end came meanwhile.
   */
  run(prepare: MessageOf<'PREPARE'>, sourceHost: string, id: string): Promise<number> {
    const setUp = this.#prepare(prepare, sourceHost, id);
    this.#setUp = setUp;
    return setUp;
  }

  async #prepare(
    { guest, pagePorts, faultPort }: MessageOf<'PREPARE'>,
    sourceHost: string,
    id: string,
  ): Promise<number> {
    const from = monotonicUs();
    const made = this.#parts.machine(guest, (error) => {
      this.#events.failed(error);
    });
    const machine = this.#guest.own(made, (one) => one.close());
    this.#machine = machine;
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
    await this.#helpers.wait(
      new Promise<void>((touched) => {
        const events = { ...this.#events.receivers, touched };
        const receivers = this.#parts.receivers(machine, sourceHost, pagePorts, id, events);
        this.#receivers = this.#helpers.own(receivers, (one) => one.close());
        receivers.start();
      }),
    );
    // A guest that runs before its faults can be answered waits for the push to bring its pages.
    await this.#helpers.wait(
      new Promise<void>((resolve) => {
        const { fetcher: events } = this.#events;
        const fetcher = this.#parts.fetcher(machine, sourceHost, faultPort, id, {
          ...events,
          connected: () => {
            events.connected();
            resolve();
          },
        });
        this.#fetcher = this.#helpers.own(fetcher, (one) => one.close());
      }),
    );
    return (monotonicUs() - from) / 1000;
  }

  /**
   * The end, whether or not it is prepared: resolves when the set-up has stopped, and all that it made, the machine
   * included unless it is kept, is closed.
   */
  async close(keepsMachine: boolean): Promise<void> {
    const closing = [this.#helpers.close()];
    if (!keepsMachine) closing.push(this.#guest.close());
    await Promise.all(closing);
    // Its waits are over, so it is: whatever it made meanwhile is closed at once.
    await this.#setUp.catch(() => undefined);
    await this.#helpers.close();
    if (!keepsMachine) await this.#guest.close();
  }
}
