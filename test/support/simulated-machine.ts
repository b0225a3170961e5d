// The machine of a guest that comes, in a simulation: no vCPU, only the time that their work takes, and what fails of it.
// The witness hears when the guest runs.
import type { IncomingMachine } from '../../src/destination/hands.js';
import { MicrostunError } from '../../src/shared/errors.js';
import type { AuditResult } from '../../src/shared/guest/guest-program.js';
import type { Process } from './simulated-world.js';
import type { MigrationRecord, Witness } from './simulated-witness.js';

const WORK_MS_MAX = 60;
const SLOW_WORK_MS_MAX = 5000;
/** Between two times that the guest's samples are told. */
const SAMPLES_MS = 200;
const FAILED = new MicrostunError('GUEST_FAILED', 'the guest failed');

/** Where the guest is, and who looks on. */
export interface SimulatedSite {
  readonly process: Process;
  readonly record: MigrationRecord;
  readonly witness: Witness;
  /** How likely each piece of work fails. */
  readonly failureShare: number;
}

/** Now and then a host is so busy that work takes longer than peers are waited for. */
export function workMs({ world: { chance } }: Process): number {
  return chance.delay(chance.isTrue(0.02) ? SLOW_WORK_MS_MAX : WORK_MS_MAX);
}

export class SimulatedMachine implements IncomingMachine {
  readonly #site: SimulatedSite;
  readonly #failed: (error: MicrostunError) => void;
  #tell: ((samples: Float64Array) => void) | undefined;
  #resumedAt = 0;
  isStopped = true;

  constructor(site: SimulatedSite, failed: (error: MicrostunError) => void) {
    this.#site = site;
    this.#failed = failed;
    if (site.process.isAlive) site.witness.prepares(site.record, site.process.name);
  }

  /** Its code throws. */
  fail(): void {
    this.#failed(FAILED);
  }

  start(): Promise<void> {
    return this.#work();
  }

  close(): Promise<void> {
    this.#tell = undefined;
    const { process } = this.#site;
    return new Promise((resolve) => {
      process.after(process.world.chance.delay(WORK_MS_MAX), resolve);
    });
  }

  prepareSampling(...[, , tell]: Parameters<IncomingMachine['prepareSampling']>): void {
    this.#tell = tell;
  }

  startSampling(): void {
    this.#site.process.after(SAMPLES_MS, () => {
      if (this.#tell === undefined) return;
      this.#tell(new Float64Array(0));
      this.startSampling();
    });
  }

  stopSampling(): Promise<Float64Array> {
    this.#tell = undefined;
    return Promise.resolve(new Float64Array(0));
  }

  /** Whether it cannot be resumed; it may say so itself meanwhile. */
  get isBroken(): boolean {
    if (!this.#isFailing()) return false;
    if (this.#site.process.world.chance.isTrue(0.5)) return true;
    this.fail();
    return false;
  }

  /** It was told to run, here and now. */
  run(): void {
    this.isStopped = false;
    this.#resumedAt = this.#site.process.world.clock.now * 1000;
  }

  // A vCPU that cannot go on says so by itself, and is not waited for.
  async begun(): Promise<void> {
    await this.#work().catch(() => {
      this.fail();
    });
  }

  async resume(): Promise<number> {
    this.isStopped = false;
    await this.begun();
    return 0;
  }

  stop(): void {
    this.isStopped = true;
  }

  park(): Promise<void> {
    this.isStopped = true;
    return this.#work();
  }

  audit(signal?: AbortSignal): Promise<AuditResult> {
    const { process } = this.#site;
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => {
        reject(new MicrostunError('CANCELLED', 'the audit was stopped'));
      });
      process.after(workMs(process), () => {
        if (signal?.aborted === true) return;
        resolve({ passed: true, checked: 1, failed: 0, findings: [] });
      });
    });
  }

  gapCounts(): Float64Array {
    return new Float64Array(0);
  }

  counters(): ReturnType<IncomingMachine['counters']> {
    return {
      remoteFaults: 0,
      faultBuckets: [],
      longestFaultUs: 0,
      longestGapUs: 0,
      firstSliceAt: [this.#resumedAt],
    };
  }

  #work(): Promise<void> {
    const { process } = this.#site;
    return new Promise((resolve, reject) => {
      process.after(workMs(process), () => {
        if (this.#isFailing()) reject(FAILED);
        else resolve();
      });
    });
  }

  #isFailing(): boolean {
    const { process, failureShare } = this.#site;
    return process.world.chance.isTrue(failureShare);
  }
}
