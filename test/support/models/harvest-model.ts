// A model of page fires against a harvest: vCPUs store, the tracer takes and re-sends, and at the end nothing may lack.
// One region; every vCPU has a word of its own in every page, so the copy shows whose store was not re-sent.
import { Thread, WordLayout, type Model } from '../explorer.js';
import { tracerLandings, tracerSteps } from './harvest-model-tracer.js';
import { vcpuLandings, vcpuSteps } from './harvest-model-vcpu.js';

export type HarvestMutation =
  | 'no first grace period'
  | 'no second grace period'
  | 'take after read'
  | 'summary cleared after the take'
  | 'traces installed without a grace period after the summary is cleared';

export interface HarvestModelOptions {
  readonly vcpus: number;
  readonly pages: number;
  /** Stores of each vCPU, to any page, in any division into slices. */
  readonly stores: number;
  /** Harvests while the vCPUs run; the last one, of parked vCPUs, comes on top. */
  readonly harvests: number;
  /**
   * Whether plain accesses are weak: stores wait in a buffer of their vCPU and land in any order, at the latest at
   * its next Atomics store; a check may answer any value that the byte had since the vCPU saw the newest epoch.
   */
  readonly isWeak: boolean;
  /** Whether the traces are still to be installed (and all pages copied) when it begins. */
  readonly installs?: boolean;
  readonly mutation?: HarvestMutation;
}

export const PRESENT = 0;
export const TRACED = 1;

export interface HarvestVcpuWords {
  readonly isRunning: number;
  readonly acknowledged: number;
  readonly epochSeen: number;
  readonly storesLeft: number;
  readonly page: number;
  /** What a check of each page answers; weak only. */
  readonly seen: readonly number[];
  /** Stores that have not landed: the page's byte, the summary, the datum (0: none); weak only. */
  readonly pendingByte: readonly number[];
  readonly pendingSummary: number;
  readonly pendingDatum: readonly number[];
  readonly data: readonly number[];
  readonly copy: readonly number[];
}

export interface HarvestWords {
  /** Stores of the tracer that have not landed, while it installs traces: the cleared summary and each trace. */
  readonly pendingClear: number;
  readonly pendingTraces: readonly number[];
  readonly epoch: number;
  readonly summary: number;
  readonly bytes: readonly number[];
  readonly vcpus: readonly HarvestVcpuWords[];
}

export function harvestModel(options: HarvestModelOptions): Model {
  const layout = new WordLayout();
  const { pages } = options;
  const firstByte = options.installs === true ? PRESENT : TRACED;
  const shared: HarvestWords = {
    pendingClear: layout.word('tracer.pendingClear'),
    pendingTraces: layout.words('tracer.pendingTrace', pages),
    epoch: layout.word('epoch'),
    summary: layout.word('summary'),
    bytes: layout.words('byte', pages, firstByte),
    vcpus: Array.from({ length: options.vcpus }, (_, id) => ({
      isRunning: layout.word(`vCPU${id}.isRunning`, 1),
      acknowledged: layout.word(`vCPU${id}.acknowledged`),
      epochSeen: layout.word(`vCPU${id}.epochSeen`),
      storesLeft: layout.word(`vCPU${id}.storesLeft`, options.stores),
      page: layout.word(`vCPU${id}.page`),
      seen: layout.words(`vCPU${id}.seen`, pages, firstByte),
      pendingByte: layout.words(`vCPU${id}.pendingByte`, pages),
      pendingSummary: layout.word(`vCPU${id}.pendingSummary`),
      pendingDatum: layout.words(`vCPU${id}.pendingDatum`, pages),
      data: layout.words(`vCPU${id}.data`, pages),
      copy: layout.words(`vCPU${id}.copy`, pages),
    })),
  };
  const vcpus = shared.vcpus.map(
    (vcpu, id) => new Thread(layout, `vCPU ${id}`, vcpuSteps(vcpu, shared, options)),
  );
  const tracer = new Thread(layout, 'tracer', tracerSteps(layout, shared, options));
  const landings = options.isWeak
    ? [...shared.vcpus.flatMap((vcpu, id) => vcpuLandings(id, vcpu, shared)), ...tracerLandings(shared)]
    : [];
  return {
    layout,
    moves: [...vcpus.flatMap((thread) => thread.moves), ...tracer.moves, ...landings],
    isFinal: (words) => tracer.isAt(words, 'end'),
    violation(words) {
      if (!tracer.isAt(words, 'end')) return undefined;
      for (const [id, { data, copy }] of shared.vcpus.entries()) {
        for (let page = 0; page < pages; page++) {
          if (words[data[page]!] !== words[copy[page]!]) {
            return `a store of vCPU ${id} to page ${page} was never re-sent`;
          }
        }
      }
      return undefined;
    },
  };
}
