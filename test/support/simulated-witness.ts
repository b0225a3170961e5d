// Somebody who sees both sides of every simulated migration: keeps what happened, and says what must never happen.
// Knows nothing of how the sides come to do what they do.
import type { World } from './simulated-world.js';

/** A guest, and where its slices run. */
export interface Guest {
  readonly name: string;
  runsAtSource: boolean;
  /** The destination process that runs it. */
  runsAt: string | undefined;
  isSourceKilled: boolean;
}

/** What happened to one migration, over all attempts to ask. */
export interface MigrationRecord {
  readonly id: string;
  readonly guest: Guest;
  readonly audits: boolean;
  /** The destination process that answered PREPARE first; HAND_OVER is meant for it. */
  preparedBy: string | undefined;
  /** The source has begun to send HAND_OVER. */
  isHandedOver: boolean;
  readonly refusedBy: Set<string>;
  resumedBy: string | undefined;
  /** The destination has every page. */
  isWhole: boolean;
  /** When its audit was over at the destination; Infinity until then. */
  auditedAt: number;
  /** What the destination said about a guest that it can run no more, or its death. */
  destinationReport: 'pages-lost' | 'failed' | 'killed' | undefined;
  /** Phases of the source in which its user cancelled. */
  readonly cancelledIn: Set<string>;
  /** The source said that it is in doubt. */
  isDoubtReported: boolean;
  sourceEnd: 'completed' | 'source' | 'destination' | 'in doubt' | 'lost' | undefined;
}

export class Witness {
  readonly #world: World;
  readonly guests: Guest[] = [];
  readonly records: MigrationRecord[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  guest(name: string): Guest {
    const guest: Guest = { name, runsAtSource: true, runsAt: undefined, isSourceKilled: false };
    this.guests.push(guest);
    return guest;
  }

  record(id: string, guest: Guest, audits: boolean): MigrationRecord {
    const record: MigrationRecord = {
      id,
      guest,
      audits,
      preparedBy: undefined,
      isHandedOver: false,
      refusedBy: new Set(),
      resumedBy: undefined,
      isWhole: false,
      auditedAt: Infinity,
      destinationReport: undefined,
      cancelledIn: new Set(),
      isDoubtReported: false,
      sourceEnd: undefined,
    };
    this.records.push(record);
    return record;
  }

  recordOf(id: string): MigrationRecord {
    return this.records.find((record) => record.id === id)!;
  }

  // ---- What the source does ------------------------------------------------------------------------------------

  sendsHandOver(record: MigrationRecord): void {
    record.isHandedOver = true;
    if (record.guest.runsAtSource)
      this.#world.violate(`${record.id}: HAND_OVER is sent while the guest runs`);
  }

  releases({ id, guest, isHandedOver, preparedBy, refusedBy, resumedBy }: MigrationRecord): void {
    guest.runsAtSource = true;
    if (!isHandedOver) return;
    if (resumedBy !== undefined)
      this.#world.violate(`${id}: the source runs a guest that the destination has resumed`);
    else if (preparedBy === undefined || !refusedBy.has(preparedBy))
      this.#world.violate(`${id}: the source runs the guest after HAND_OVER and without a refusal`);
  }

  sourceEnds(record: MigrationRecord, end: NonNullable<MigrationRecord['sourceEnd']>): void {
    const { id, guest, resumedBy, isWhole, audits, auditedAt } = record;
    record.sourceEnd = end;
    switch (end) {
      case 'completed':
        if (resumedBy === undefined)
          this.#world.violate(`${id}: completed, and the destination never resumed it`);
        else if (!isWhole) this.#world.violate(`${id}: completed, and pages are missing`);
        else if (audits && auditedAt === Infinity) this.#world.violate(`${id}: completed without its audit`);
        return;
      case 'source':
        if (!guest.runsAtSource)
          this.#world.violate(`${id}: the source says that it owns the guest, and does not run it`);
        return;
      case 'destination':
        if (resumedBy === undefined)
          this.#world.violate(
            `${id}: the source says that the destination owns the guest, which it never resumed`,
          );
        return;
      case 'lost':
        if (guest.runsAt !== undefined)
          this.#world.violate(`${id}: the source says that the guest is lost, and it runs`);
        return;
      case 'in doubt':
        return;
    }
  }

  // ---- What the destination does -------------------------------------------------------------------------------

  prepares(record: MigrationRecord, instanceId: string): void {
    record.preparedBy ??= instanceId;
  }

  refuses(record: MigrationRecord, instanceId: string): void {
    record.refusedBy.add(instanceId);
    if (record.resumedBy === instanceId) this.#world.violate(`${record.id}: refused after it was resumed`);
  }

  /**
   * What a process has refused and forgotten may come to it again if it was never asked to prepare: its source has not
   * heard a word from it, so nothing can have been handed over.
   */
  forgets(instanceId: string): void {
    for (const { preparedBy, refusedBy } of this.records)
      if (preparedBy === undefined) refusedBy.delete(instanceId);
  }

  resumes(record: MigrationRecord, instanceId: string): void {
    record.resumedBy = instanceId;
    record.guest.runsAt = instanceId;
    if (record.refusedBy.has(instanceId)) this.#world.violate(`${record.id}: resumed after it was refused`);
  }

  /** The guest stops at the destination, which says why. */
  stops(record: MigrationRecord, why: NonNullable<MigrationRecord['destinationReport']>): void {
    record.destinationReport ??= why;
    if (record.guest.runsAt === record.resumedBy) record.guest.runsAt = undefined;
  }

  destinationDies(instanceId: string): void {
    for (const record of this.records) if (record.resumedBy === instanceId) this.stops(record, 'killed');
  }

  // ---- What must hold ------------------------------------------------------------------------------------------

  /** Always. */
  check(): void {
    for (const { name, runsAtSource, isSourceKilled, runsAt } of this.guests)
      if (runsAtSource && !isSourceKilled && runsAt !== undefined)
        this.#world.violate(`guest ${name} runs at the source and at ${runsAt}`);
  }

  /** Once nothing more will happen: every guest runs, or somebody said why it does not. */
  checkEnd(): void {
    for (const guest of this.guests) {
      const records = this.records.filter((record) => record.guest === guest);
      if (guest.runsAt !== undefined) {
        const owning = records.find((record) => record.resumedBy === guest.runsAt);
        if (owning?.isWhole !== true)
          this.#world.violate(
            `guest ${guest.name} lacks pages that nobody will send, and nothing was reported`,
          );
        continue;
      }
      if (guest.runsAtSource || guest.isSourceKilled) continue;
      const isReported = records.some(
        ({ isDoubtReported, destinationReport, sourceEnd }) =>
          isDoubtReported ||
          destinationReport !== undefined ||
          sourceEnd === 'in doubt' ||
          sourceEnd === 'lost',
      );
      if (!isReported) this.#world.violate(`guest ${guest.name} runs nowhere, and nothing was reported`);
    }
  }
}
