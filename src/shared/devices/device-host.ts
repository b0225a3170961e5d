// Serves the devices of a machine on one thread: their work is done in slices of devices, as short as those of a vCPU, and
// only while the guest runs. What goes out is taken from guest memory within a slice, and sent after it.
// Knows no kind of device and no socket.
import type { DeviceSafepoint } from '../memory/device-safepoint.js';
import { Command } from '../memory/safepoint-words.js';

/** What serves one device outside of its guest. */
export interface BackEnd {
  /**
   * Within a slice: moves into guest memory what came, and takes out of it what is to go. Answers whether vCPUs have
   * reason to look.
   */
  serve(): boolean;
  /** After that slice: sends what was taken out. Nothing of the guest may be touched. */
  send(): void;
  /** The guest has left, or ends: what was sent goes out still, nothing is served any more. */
  close(): Promise<void>;
}

export class DeviceHost {
  readonly #safepoint: Pick<
    DeviceSafepoint,
    'enter' | 'leave' | 'tellVcpus' | 'doorbell' | 'rung' | 'command' | 'hasLeft'
  >;
  readonly #backEnds: readonly BackEnd[];
  /** Before the first slice of the guest's life here. */
  #onArrival: (() => void) | undefined;
  readonly #onLeft: () => void;
  #isScheduled = false;
  #isOver = false;

  /** `onArrival`: called within the first slice. `onLeft`: when the guest has left. */
  constructor(
    safepoint: DeviceSafepoint,
    backEnds: readonly BackEnd[],
    onArrival: () => void,
    onLeft: () => void,
  ) {
    this.#safepoint = safepoint;
    this.#backEnds = backEnds;
    this.#onArrival = onArrival;
    this.#onLeft = onLeft;
  }

  /** Something came in: it is served once all that came with it is here. */
  readonly schedule = (): void => {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#serve();
    });
  };

  /** Serves whenever a vCPU or a command asks for it, until the guest has left, EXIT is commanded or it is closed. */
  async run(): Promise<void> {
    while (!this.#isOver && this.#safepoint.command !== Command.EXIT) {
      // Loaded before the look at what there is: what comes after that makes the wait return.
      const seen = this.#safepoint.doorbell;
      if (this.#safepoint.hasLeft) {
        this.#onLeft();
        return;
      }
      this.#serve();
      // Sockets have their turn also while the doorbell never rests.
      if (!(await this.#safepoint.rung(seen))) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #serve(): void {
    if (this.#isOver || !this.#safepoint.enter()) return;
    let isNews = false;
    try {
      this.#onArrival?.();
      this.#onArrival = undefined;
      for (const backEnd of this.#backEnds) isNews = backEnd.serve() || isNews;
    } finally {
      this.#safepoint.leave();
    }
    if (isNews) this.#safepoint.tellVcpus();
    for (const backEnd of this.#backEnds) backEnd.send();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#backEnds.map((backEnd) => backEnd.close()));
  }
}
