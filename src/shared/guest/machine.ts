// A guest's machine as the main thread holds it: starts the vCPU workers, parks and resumes them, audits.
// Never blocks; does not know that the guest is being moved.
import type { MessagePort } from 'node:worker_threads';
import { UNBOUND, type DeviceBindings, type ListeningDevices } from '../devices/device-bindings.js';
import type { MicrostunError } from '../errors.js';
import { monotonicUs } from '../clock.js';
import { viewMemory } from '../memory/layout.js';
import { REGION_BYTES } from '../memory/pages.js';
import type { Regions } from '../memory/regions.js';
import { Command, VcpuState } from '../memory/safepoint-words.js';
import { SafepointControl } from '../memory/safepoint-control.js';
import { auditGuest } from './audit.js';
import type { AuditResult, GuestSpec } from './guest-program.js';
import { resumeClock, setParkedClock, setPaused } from './guest-clock.js';
import { checkHostMemory, machineOnHost } from './host-memory.js';
import { DeviceThread } from './device-thread.js';
import { codeHashOf } from './programs/catalogue.js';
import { guestErrorOf } from './safepoint-trouble.js';
import { closedError } from './loading.js';
import { sumCounters, sumGapCounts, type MachineCounters } from './machine-counters.js';
import type { MachineEvents, MachineHost } from './machine-host.js';
import { MachineNotices } from './machine-notices.js';
import { GuestSampler } from './sampler.js';
import { watchSlices } from './slice-watch.js';
import { MachineSettings, type SharedMachine } from './shared-machine.js';
import { VcpuThread } from './vcpu-thread.js';

/** A vCPU that does not come to a safepoint in this time, because it waits for a page, say, is ended where it is. */
const EXIT_MS_MAX = 3000;

/** Workers that start at once take the processors, and the main thread has signs of life to send and to hear. */
const STARTED_AT_ONCE_MAX = 4;

export class GuestMachine {
  readonly shared: SharedMachine;
  readonly safepoints: SafepointControl;
  /** What its program is asked before it is moved, and told after. */
  readonly notices: MachineNotices;
  /** The hash of its program's code, which its vCPUs run; empty when there is no such program. */
  readonly codeHash: string;
  readonly #settings: MachineSettings;
  readonly #regions: Regions;
  readonly #events: MachineEvents;
  #vcpus: VcpuThread[] = [];
  readonly #bindings: DeviceBindings;
  #devices: DeviceThread | undefined;
  #listening: ListeningDevices = UNBOUND;
  #faultPorts: MessagePort[] = [];
  #hasFailed = false;
  #isClosed = false;
  #sampler: GuestSampler | undefined;
  #unwatchSlices = (): void => undefined;

  /**
   * Allocates the machine's memory, unless its host has laid it out already.
   * @throws MicrostunError INSUFFICIENT_MEMORY when the host has no room for it.
   */
  constructor(spec: GuestSpec, events: MachineEvents, { memory, module, bindings }: MachineHost = {}) {
    this.#bindings = bindings ?? UNBOUND;
    this.shared = { ...machineOnHost(spec, memory), ...(module !== undefined && { module }) };
    // Now, as its threads are about to load it: what lies there later may be another's.
    this.codeHash = codeHashOf(spec.program, module);
    this.#regions = viewMemory(this.shared.memory).regions;
    this.safepoints = new SafepointControl(this.shared.safepointWords);
    this.#settings = new MachineSettings(this.shared);
    this.notices = new MachineNotices(this.shared);
    this.#events = events;
  }

  /** Whether a vCPU's worker has failed, or its vCPU ended by itself; the machine cannot run any more. */
  get isFailed(): boolean {
    return this.#hasFailed || this.#states().includes(VcpuState.EXITED);
  }

  /** Whether the vCPUs were told to stop, by whichever thread, or have not been told to run yet. */
  get isStopped(): boolean {
    return this.safepoints.isStopCommanded;
  }

  #states(): number[] {
    return Array.from({ length: this.spec.vcpus }, (_, vcpu) => this.safepoints.state(vcpu));
  }

  get spec(): GuestSpec {
    return this.shared.spec;
  }

  /** What the guest has of the host: all of its memory, or the regions that it has touched. */
  get touchedBytes(): number {
    const { first, count } = this.#regions;
    const { memoryBytes } = this.spec;
    // A slot that a vCPU keeps spare is none of it.
    return first === 0 ? memoryBytes : Math.min(memoryBytes, (count - first) * REGION_BYTES);
  }

  /**
   * Starts the vCPU workers, parked; `boots` fills a fresh guest first. Resolves when all are ready.
   * @throws MicrostunError GUEST_FAILED; LISTEN_FAILED when a device cannot be reached where it is to be; CANCELLED when
   * the machine is closed meanwhile; INSUFFICIENT_MEMORY when the guest is to be booted, and would touch more than the host
   * has now.
   */
  async start(boots: boolean): Promise<void> {
    if (boots) checkHostMemory(this.spec);
    await this.#startDevices(!boots);
    await this.#startVcpu(0, boots);
    for (let next = 1; next < this.spec.vcpus; next += STARTED_AT_ONCE_MAX) {
      if (this.#isClosed) throw closedError();
      const count = Math.min(STARTED_AT_ONCE_MAX, this.spec.vcpus - next);
      await Promise.all(Array.from({ length: count }, (_, at) => this.#startVcpu(next + at, false)));
    }
    setParkedClock(this.shared, 0, monotonicUs());
    this.#unwatchSlices = watchSlices(this.shared, (text) => this.#events.longSlice?.(text));
  }

  // Before the guest is booted, which may take long: where it is to be reached is taken or not.
  async #startDevices(hasCome: boolean): Promise<void> {
    if (this.spec.devices.length === 0) return;
    this.#devices = new DeviceThread(this.shared, this.#bindings, hasCome, (error) => {
      this.#hasFailed = true;
      this.safepoints.markExited(this.spec.vcpus);
      this.#events.failed(error);
    });
    this.#faultPorts.push(this.#devices.faults);
    this.#listening = await this.#devices.ready;
  }

  /** Where its devices are reached on this host, by their names, once it has started. */
  get listeningDevices(): ListeningDevices {
    return this.#listening;
  }

  /** The guest has left for another host: whoever is connected to its devices here is let go. */
  letDevicesGo(): void {
    this.safepoints.letDevicesGo();
  }

  #startVcpu(vcpu: number, boots: boolean): Promise<void> {
    const thread = new VcpuThread(this.shared, vcpu, boots, {
      ended: (error) => {
        this.#hasFailed = true;
        // A worker that ran out of memory or called process.exit() could not say so itself.
        this.safepoints.markExited(vcpu);
        this.#events.failed(error);
      },
      shortOfMemory: () => {
        this.#events.shortOfMemory?.(vcpu);
      },
      answered: (question, answer) => {
        this.notices.take(question, answer);
      },
    });
    this.#vcpus.push(thread);
    this.#faultPorts.push(thread.faults);
    return thread.ready;
  }

  /** The ports on which the vCPUs ask for absent pages, to be handed to whoever fetches them. */
  takeFaultPorts(): MessagePort[] {
    const ports = this.#faultPorts;
    this.#faultPorts = [];
    return ports;
  }

  /**
   * Lets the vCPUs run; resolves when each has begun its first slice, or has ended. Answers for how long the guest's
   * clock stood still, in milliseconds: since the last vCPU parked. That of a guest that could not be parked did not.
   */
  async resume(): Promise<number> {
    // A vCPU that still runs reads the clock: it must not be moved under it.
    const isWhole = this.#states().every((state) => state === VcpuState.PARKED || state === VcpuState.EXITED);
    const stoodStillUs = isWhole ? resumeClock(this.shared, monotonicUs()) : 0;
    await this.safepoints.resume();
    return stoodStillUs / 1000;
  }

  /**
   * Another thread has told the vCPUs of this machine to run, for the first time: resolves when each has begun its first
   * slice, or has ended.
   */
  async begun(): Promise<void> {
    await this.safepoints.resumed(Array.from({ length: this.spec.vcpus }, () => 0));
  }

  /** Whether the guest is paused: told to run, its vCPUs run nothing of it. It moves as any other, and stays so. */
  get isPaused(): boolean {
    return this.#settings.isPaused;
  }

  /**
   * Pauses the guest, or lets it go on from where it stood; resolves when it is so.
   * @throws MicrostunError as `park`.
   */
  async setPaused(isPaused: boolean): Promise<void> {
    const hasRun = !this.isStopped;
    await this.park();
    setPaused(this.shared, isPaused, monotonicUs());
    if (isPaused) this.notices.pause();
    if (hasRun) await this.resume();
  }

  /** Tells the vCPUs to park, and waits for nothing. */
  stop(): void {
    this.safepoints.command(Command.PARK);
  }

  /**
   * Resolves when no vCPU is in a slice; none enters one before `resume`.
   * @throws MicrostunError GUEST_FAILED when a vCPU has ended, TIMEOUT when one does not leave its slice.
   */
  async park(): Promise<void> {
    this.stop();
    try {
      await this.safepoints.parked();
    } catch (error) {
      throw guestErrorOf(error);
    }
  }

  /** Each vCPU measures its longest gap between slices, and its longest stop for trace work, from now on. */
  watchGaps(): void {
    this.#settings.gapWatch++;
  }

  /**
   * Makes ready to sample, unless that is done already; a buffer of `doublesMax` (samples.ts). `tell`: a few of the
   * samples while they are taken.
   */
  prepareSampling(
    doublesMax: number,
    onFailure: (error: MicrostunError) => void,
    tell?: (samples: Float64Array) => void,
  ): void {
    this.#sampler ??= new GuestSampler(this.shared, doublesMax, onFailure, tell);
  }

  /** Samples the guest from now on, if that was prepared. */
  startSampling(): void {
    this.#sampler?.start();
  }

  /** Ends the sampling; answers its rows, none when nothing was sampled. */
  async stopSampling(): Promise<Float64Array> {
    const sampler = this.#sampler;
    this.#sampler = undefined;
    return (await sampler?.stop()) ?? new Float64Array(0);
  }

  /** Gaps between slices so far, all vCPUs together: counts by bucket (gap-buckets.ts). */
  gapCounts(): Float64Array {
    return sumGapCounts(this.shared);
  }

  /**
   * Checks the whole parked guest; `signal` stops that.
   * @throws MicrostunError WORKER_FAILED; CANCELLED when it was stopped.
   */
  audit(signal?: AbortSignal): Promise<AuditResult> {
    return auditGuest(this.shared, signal);
  }

  counters(): MachineCounters {
    return sumCounters(this.shared);
  }

  /**
   * Ends the vCPU workers at their next safepoint; those that cannot reach one are ended where they are. A start that
   * is under way ends as well.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatchSlices();
    for (const vcpu of this.#vcpus) vcpu.giveUpStart(closedError());
    this.safepoints.command(Command.EXIT);
    const sampling = this.stopSampling();
    const vcpus = this.#vcpus;
    this.#vcpus = [];
    for (const port of this.takeFaultPorts()) port.close();
    const devicesEnd = this.#devices?.close();
    const isWaiting = Array.from(
      { length: this.spec.vcpus },
      (_, vcpu) => this.safepoints.faultOf(vcpu) !== undefined,
    );
    await Promise.all(
      vcpus.map((worker, id) => worker.end(this.#hasFailed || isWaiting[id]! ? undefined : EXIT_MS_MAX)),
    );
    // Nobody is left who waits for a vCPU that was ended where it was.
    for (let vcpu = 0; vcpu < this.spec.vcpus; vcpu++) this.safepoints.markExited(vcpu);
    await devicesEnd;
    await sampling;
  }
}
