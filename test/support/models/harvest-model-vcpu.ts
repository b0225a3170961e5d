// The vCPUs of the harvest model: check, fire, store, safepoint; and, on a weak machine, what lands and is seen when.
// Knows nothing of the tracer but the words that both share.
import type { Move, Step, Words } from '../explorer.js';
import {
  PRESENT,
  TRACED,
  type HarvestModelOptions,
  type HarvestVcpuWords,
  type HarvestWords,
} from './harvest-model.js';

export function vcpuSteps(
  vcpu: HarvestVcpuWords,
  { epoch, summary, bytes }: HarvestWords,
  options: HarvestModelOptions,
): Step[] {
  const { isWeak, stores } = options;
  const pending = [...vcpu.pendingByte, vcpu.pendingSummary, ...vcpu.pendingDatum];
  const hasLanded = (words: Words): boolean => pending.every((word) => words[word] === 0);
  const check = (words: Words, page: number): number =>
    isWeak ? words[vcpu.seen[page]!]! : words[bytes[page]!]!;
  const store = (words: Words): void => {
    const page = words[vcpu.page]!;
    const datum = stores - words[vcpu.storesLeft]! + 1;
    words[(isWeak ? vcpu.pendingDatum : vcpu.data)[page]!] = datum;
    words[vcpu.storesLeft]!--;
    words[vcpu.page] = 0;
  };
  const checks = bytes.map((_, page): Step => ({
    at: 'slice',
    label: `checks page ${page}`,
    run: (words) => {
      if (words[vcpu.storesLeft] === 0) return undefined;
      words[vcpu.page] = page;
      return check(words, page) === TRACED ? 'fire' : 'store';
    },
  }));
  return [
    ...checks,
    {
      at: 'slice',
      label: 'parks for good',
      run: (words) => {
        if (words[vcpu.storesLeft] !== 0 || !hasLanded(words)) return undefined;
        words[vcpu.isRunning] = 0;
        return 'parked';
      },
    },
    {
      at: 'fire',
      label: 'fires: stores PRESENT',
      run: (words) => {
        const page = words[vcpu.page]!;
        if (isWeak) {
          words[vcpu.pendingByte[page]!] = 1;
          words[vcpu.seen[page]!] = PRESENT;
        } else words[bytes[page]!] = PRESENT;
        return 'mark';
      },
    },
    {
      at: 'mark',
      label: 'fires: marks the region',
      run: (words) => {
        words[isWeak ? vcpu.pendingSummary : summary] = 1;
        return 'store';
      },
    },
    { at: 'store', label: 'stores its datum', run: (words) => (store(words), 'slice') },
    { at: 'slice', label: 'ends its slice', run: () => 'safepoint' },
    {
      at: 'safepoint',
      label: 'loads the epoch',
      run: (words) => {
        if (words[epoch] === words[vcpu.acknowledged]) return 'slice';
        words[vcpu.epochSeen] = words[epoch]!;
        // What the tracer stored before it bumped the epoch is seen from now on.
        vcpu.seen.forEach((seen, page) => {
          if (words[bytes[page]!] === TRACED && words[vcpu.pendingByte[page]!] === 0) words[seen] = TRACED;
        });
        return 'acknowledge';
      },
    },
    {
      at: 'acknowledge',
      label: 'acknowledges the epoch',
      run: (words) => {
        if (!hasLanded(words)) return undefined;
        words[vcpu.acknowledged] = words[vcpu.epochSeen]!;
        words[vcpu.epochSeen] = 0;
        return 'slice';
      },
    },
  ];
}

// Stores land, and checks catch up with memory, whenever they like.
export function vcpuLandings(id: number, vcpu: HarvestVcpuWords, { summary, bytes }: HarvestWords): Move[] {
  const landing = (
    label: string,
    pending: number,
    target: number,
    valueOf: (held: number) => number,
  ): Move => ({
    label: `vCPU ${id}'s ${label} lands`,
    apply: (words) => {
      if (words[pending] === 0) return false;
      words[target] = valueOf(words[pending]!);
      words[pending] = 0;
      return true;
    },
  });
  return [
    landing('mark of the region', vcpu.pendingSummary, summary, () => 1),
    ...bytes.flatMap((byte, page) => [
      landing(`PRESENT of page ${page}`, vcpu.pendingByte[page]!, byte, () => PRESENT),
      landing(`datum in page ${page}`, vcpu.pendingDatum[page]!, vcpu.data[page]!, (held) => held),
      {
        label: `vCPU ${id} sees the newest byte of page ${page}`,
        apply: (words: Words) => {
          if (words[vcpu.pendingByte[page]!] !== 0 || words[vcpu.seen[page]!] === words[byte]) return false;
          words[vcpu.seen[page]!] = words[byte]!;
          return true;
        },
      },
    ]),
  ];
}
