// Why a wait for the vCPUs ended without what it waited for. Knows numbers of vCPUs only.

/**
 * `exited`: the vCPU's worker has ended; `stuck`: it reached no safepoint within the limit; `given up`: whoever waited
 * was told to stop waiting; `interrupted`: another command ended the trace work.
 */
export type SafepointTrouble = 'exited' | 'stuck' | 'given up' | 'interrupted';

/** A grace period, a park or trace work that did not come about. */
export class SafepointError extends Error {
  override readonly name = 'SafepointError';
  readonly trouble: SafepointTrouble;
  /** The vCPU that it failed on, if it is one's doing. */
  readonly vcpu: number | undefined;

  constructor(trouble: SafepointTrouble, message: string, vcpu?: number) {
    super(message);
    this.trouble = trouble;
    this.vcpu = vcpu;
  }
}
