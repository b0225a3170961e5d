// The audit of a guest that came: parked, checked, resumed, whatever becomes of the check; it may be stopped at any time.
// Does not know what is checked: the guest's program does.
import { Belongings } from '../shared/belongings.js';
import { messageOf } from '../shared/errors.js';
import { pairsOf } from '../shared/guest/gap-buckets.js';
import type { AuditResult } from '../shared/guest/guest-program.js';
import type { IncomingMachine } from './hands.js';
import type { IncomingEvent } from './states/events.js';

const REASON_CHARACTERS_MAX = 300;

export class GuestAudit {
  readonly #waits = new Belongings();
  #isMachineLeft = false;

  /** Tells what it found, and how the guest fared until then; nothing when it was stopped. */
  async run(machine: IncomingMachine): Promise<IncomingEvent | undefined> {
    const samples = await machine.stopSampling();
    const { longestGapUs, longestFaultUs } = machine.counters();
    const gaps = pairsOf(machine.gapCounts());
    const longestStallUs = Math.max(longestGapUs, longestFaultUs);
    const audited = await this.#auditParked(machine);
    if (audited === undefined) return undefined;
    const { passed, checked, failed, findings } = audited;
    return {
      kind: 'audited',
      answer: {
        name: 'AUDITED',
        passed,
        checked,
        failed,
        findings: [...findings],
        samples,
        gaps,
        longestStallUs,
      },
    };
  }

  /** It takes too long: the guest runs on. */
  async stop(): Promise<undefined> {
    await this.#waits.close();
    return undefined;
  }

  /** The end of the migration: the machine is another's, who lets it run. */
  async close(): Promise<void> {
    this.#isMachineLeft = true;
    await this.#waits.close();
  }

  // Nothing when it was stopped: the guest runs on without waiting for a vCPU that never came to its safepoint.
  async #auditParked(machine: IncomingMachine): Promise<AuditResult | undefined> {
    const waits = this.#waits;
    try {
      await waits.wait(machine.park());
      const stop = new AbortController();
      waits.own(stop, () => {
        stop.abort();
      });
      // An audit that cannot be done is a failed one; the guest runs on all the same.
      const result = await waits.wait(machine.audit(stop.signal)).catch((error: unknown) => ({
        passed: false,
        checked: 0,
        failed: 1,
        findings: [`the audit could not be done: ${messageOf(error).slice(0, REASON_CHARACTERS_MAX)}`],
      }));
      if (!waits.hasEnded) await waits.wait(machine.resume());
      return waits.hasEnded ? undefined : result;
    } catch (error) {
      if (!waits.hasEnded) throw error;
      return undefined;
    } finally {
      // A vCPU that cannot go on tells so by itself.
      if (waits.hasEnded && !this.#isMachineLeft) machine.resume().catch(() => undefined);
    }
  }
}
