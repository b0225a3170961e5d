// The tracer of the harvest model: install (if asked), harvest some times, harvest once more when all are parked.
// Knows nothing of what the vCPUs do but the words that all share.
import type { Move, Step, WordLayout, Words } from '../explorer.js';
import { PRESENT, TRACED, type HarvestModelOptions, type HarvestWords } from './harvest-model.js';

export function tracerSteps(layout: WordLayout, shared: HarvestWords, options: HarvestModelOptions): Step[] {
  const { epoch, summary, bytes, vcpus, pendingClear, pendingTraces } = shared;
  const { mutation, isWeak, installs } = options;
  const isTaken = layout.word('isTaken');
  const dirty = layout.words('dirty', options.pages);
  const harvestsLeft = layout.word('harvestsLeft', options.harvests);
  const page = layout.word('page');
  const isMarked = (words: Words): boolean =>
    words[isTaken] === 1 || mutation === 'summary cleared after the take';

  const copyPage = (words: Words, of: number): void => {
    for (const vcpu of vcpus) words[vcpu.copy[of]!] = words[vcpu.data[of]!]!;
  };
  // A step made once for each page in turn; then the thread goes on to `then`.
  const perPage = (
    at: string,
    label: string,
    then: (words: Words) => string,
    act: (words: Words, of: number) => void,
  ): Step => ({
    at,
    label,
    run: (words) => {
      act(words, words[page]!);
      words[page]!++;
      if (words[page]! < options.pages) return at;
      words[page] = 0;
      return then(words);
    },
  });
  const gracePeriod = (name: string, then: string): Step[] => [
    {
      at: name,
      label: `bumps the epoch (${name})`,
      run: (words) => {
        if (words[pendingClear] === 1 || pendingTraces.some((pending) => words[pending] === 1))
          return undefined;
        words[epoch]!++;
        return `${name}, waiting`;
      },
    },
    {
      at: `${name}, waiting`,
      label: `has waited (${name})`,
      run: (words) =>
        vcpus.every((vcpu) => words[vcpu.acknowledged] === words[epoch] || words[vcpu.isRunning] === 0)
          ? then
          : undefined,
    },
  ];
  const endHarvest = (words: Words): string => {
    words[isTaken] = 0;
    for (const bit of dirty) words[bit] = 0;
    words[harvestsLeft]!--;
    return words[harvestsLeft] === 0 ? 'last' : 'begin';
  };
  const takeSummary: Step = {
    at: 'begin',
    label: 'takes the summary',
    run: (words) => {
      if (mutation !== 'summary cleared after the take') {
        words[isTaken] = words[summary]!;
        words[summary] = 0;
      }
      return mutation === 'no first grace period' ? 'take' : 'first grace period';
    },
  };
  const install: Step[] = [
    {
      at: 'install',
      label: 'clears the summary',
      run: (words) => {
        if (isWeak) words[pendingClear] = 1;
        else words[summary] = 0;
        return mutation === 'traces installed without a grace period after the summary is cleared'
          ? 'trace'
          : 'clearing grace period';
      },
    },
    ...gracePeriod('clearing grace period', 'trace'),
    perPage(
      'trace',
      'traces a page',
      () => 'installing grace period',
      (words, of) => {
        if (isWeak) words[pendingTraces[of]!] = 1;
        else words[bytes[of]!] = TRACED;
      },
    ),
    ...gracePeriod('installing grace period', 'read all'),
    perPage('read all', 'reads a page', () => 'begin', copyPage),
  ];
  const readsFirst = mutation === 'take after read';
  return [
    ...(installs === true ? install : []),
    takeSummary,
    ...gracePeriod('first grace period', readsFirst ? 'read early' : 'take'),
    perPage(
      'read early',
      'reads a page that it will take',
      () => 'take',
      (words, of) => {
        if (isMarked(words) && words[bytes[of]!] === PRESENT) copyPage(words, of);
      },
    ),
    perPage(
      'take',
      'takes a page',
      (words) => {
        if (mutation === 'summary cleared after the take') words[summary] = 0;
        return mutation === 'no second grace period' ? 'read' : 'second grace period';
      },
      (words, of) => {
        if (!isMarked(words) || words[bytes[of]!] !== PRESENT) return;
        words[bytes[of]!] = TRACED;
        words[dirty[of]!] = 1;
      },
    ),
    ...gracePeriod('second grace period', 'read'),
    perPage('read', 'reads a page if it is dirty', endHarvest, (words, of) => {
      if (words[dirty[of]!] === 1 && !readsFirst) copyPage(words, of);
    }),
    {
      at: 'last',
      label: 'harvests the parked guest',
      run: (words) => {
        if (vcpus.some((vcpu) => words[vcpu.isRunning] === 1)) return undefined;
        if (words[summary] === 1)
          bytes.forEach((byte, of) => {
            if (words[byte] === PRESENT) copyPage(words, of);
          });
        return 'end';
      },
    },
  ];
}

/** Installing stores plainly, so on a weak machine its stores land whenever they like, before its next grace period. */
export function tracerLandings({ pendingClear, pendingTraces, summary, bytes }: HarvestWords): Move[] {
  const landing = (label: string, pending: number, target: number, value: number): Move => ({
    label: `the tracer's ${label} lands`,
    apply: (words) => {
      if (words[pending] === 0) return false;
      words[pending] = 0;
      words[target] = value;
      return true;
    },
  });
  return [
    landing('clearing of the summary', pendingClear, summary, 0),
    ...pendingTraces.map((pending, page) => landing(`trace of page ${page}`, pending, bytes[page]!, TRACED)),
  ];
}
