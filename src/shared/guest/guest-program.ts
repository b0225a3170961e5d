// What a guest is: the contract between a guest program and the machine that runs it.
// A guest that has no say in its migrations cannot tell that it is being moved, except by its clock.
import type { GuestDevices } from './devices/guest-devices.js';
import type { GuestMemory } from '../memory/guest-memory-contract.js';

/** Everything that a guest is started with; travels to the destination, which makes the same program from it. */
export interface GuestSpec {
  /** A built-in program's name, or what a guest that people bring is called; never where its code is. */
  readonly program: string;
  /** Guest memory: whole pages of 4 KiB. */
  readonly memoryBytes: number;
  /** vCPUs, from 1 on. */
  readonly vcpus: number;
  /** 32-bit seed of everything random in the guest. */
  readonly seed: number;
  /** Pages written a second by all vCPUs together; Infinity is flat out. */
  readonly writeRate: number;
  /** All that a guest with a hot set writes, in one piece; 0: what the program does by itself. */
  readonly hotSetBytes: number;
  /** All of its memory that a guest ever touches, scattered over the rest in whole regions; 0: all of it. */
  readonly residentBytes: number;
  /** What it has besides memory and vCPUs; the windows of all of them lie at the end of memory, in this order. */
  readonly devices: readonly DeviceSpec[];
}

/** The kinds of devices that there are. */
export const deviceKinds = ['console', 'service'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** A device as its guest declares it; what it is bound to outside is each host's to say. */
export interface DeviceSpec {
  /** By which the guest and its hosts know it: of its kind or not, a guest has one of each name. */
  readonly name: string;
  /** Which kind of device it is. */
  readonly kind: DeviceKind;
  /** Connections that it has at once; of a console 1, however many look on. */
  readonly connections: number;
  /** A power of two: bytes on their way into the guest, and as many out of it, of each connection. */
  readonly ringBytes: number;
}

/** How much of its memory a guest ever touches. */
export function residentBytesOf({ memoryBytes, residentBytes }: GuestSpec): number {
  return residentBytes === 0 ? memoryBytes : residentBytes;
}

/** Registers of one vCPU: doubles, saved with the checkpoint. */
export const REGISTERS_PER_VCPU = 32;

/** A vCPU as its guest program sees it. */
export interface Vcpu {
  /** From 0 on. */
  readonly id: number;
  /** All of the guest's memory, which its vCPUs share. */
  readonly memory: GuestMemory;
  /** REGISTERS_PER_VCPU doubles. All state that is not in memory lives here, never in a closure. */
  readonly registers: Float64Array;
  /** The guest's own clock in microseconds: it stands still while the guest is parked or moved. */
  nowUs(): number;
  /**
   * Asks to sleep after this slice until the guest's clock reads `guestUs`, which may be Infinity. What comes in by a
   * device ends it early.
   */
  haltUntil(guestUs: number): void;
  /** What the guest has besides memory and vCPUs. */
  readonly devices: Pick<GuestDevices, 'service' | 'console'>;
  /** Ends the guest for good, at once, with a reason for people; a migration of it ends as well. */
  powerOff(reason?: string): never;
  /** Reports `pages` page writes of this slice: the guest's throughput. */
  countWork(pages: number): void;
}

/** The guest's machine while no vCPU runs: at boot, and when it is audited. */
export interface Machine {
  /** All of the guest's memory. */
  readonly memory: GuestMemory;
  /** Registers of every vCPU. */
  readonly registers: readonly Float64Array[];
}

/** What an audit found: every lost or torn page write must make it fail. */
export interface AuditResult {
  /** Whether nothing was wrong. */
  readonly passed: boolean;
  /** Pages that were checked. */
  readonly checked: number;
  /** Pages that were wrong. */
  readonly failed: number;
  /** The first few findings, each a sentence. */
  readonly findings: readonly string[];
}

/** What goes with the question whether a guest may be moved now. */
export interface BeforeMigration {
  /** For how long it has been asked in this migration; 0 the first time. */
  readonly waitedMs: number;
  /** How long it may still be asked; after that it is moved without its consent. */
  readonly leftMs: number;
}

/** The longest reason for a veto; a longer one is cut. */
export const VETO_CHARACTERS_MAX = 200;

/** What a guest answers: it is ready; it wants to be asked again after so long; or it does not want to be moved, and why. */
export type MigrationAnswer =
  | undefined
  | {
      /** In milliseconds; it is asked again after that, and runs on meanwhile. */
      readonly delayMs: number;
    }
  | {
      /** Why, for people. */
      readonly veto: string;
    };

/** How a migration ended, as its guest is told. */
export interface AfterMigration {
  /** Whether it has moved; else it was asked, and stays where it was. */
  readonly moved: boolean;
  /** From its stop until now; 0 where it was never stopped. */
  readonly stoodStillMs: number;
  /** The name of the host that it runs on now. */
  readonly host: string;
}

/**
 * What a guest does. All of its state lives in guest memory or in registers: the object is made anew at the destination.
 */
export interface GuestProgram {
  /** Fills a fresh guest; called once in its life, before any slice. */
  boot?(machine: Machine): void;
  /** One bounded piece of work, well under 100 µs; a safepoint follows. */
  runSlice(vcpu: Vcpu): void;
  /** Checks the whole parked guest against what must hold. */
  audit?(machine: Machine): AuditResult;
  /**
   * May the guest be moved now? Asked on vCPU 0 between two slices, when a migration would stop the guest; all other vCPUs
   * run on. Undefined: yes.
   */
  beforeMigration?(vcpu: Vcpu, notice: BeforeMigration): MigrationAnswer;
  /**
   * A migration is over. Called on vCPU 0 before the first slice at the destination; and at the source, where the guest
   * was asked, and stays.
   */
  afterMigration?(vcpu: Vcpu, arrival: AfterMigration): void;
}

/** Makes a program for a guest. It may precompute from `spec`, but must hold no state that changes. */
export type GuestFactory = (spec: GuestSpec) => GuestProgram;
