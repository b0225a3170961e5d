// The other side of the parking model: the tracer's grace periods, and the machine that parks and resumes its guest.
// Knows nothing of what the vCPUs do but the words that all share.
import type { Step, WordLayout, Words } from '../explorer.js';
import {
  PARK,
  PARKED,
  RUN,
  RUNNING,
  type ParkingModelOptions,
  type ParkingVcpuWords,
  type ParkingWords,
} from './parking-model.js';

export function tracerSteps(layout: WordLayout, shared: ParkingWords, options: ParkingModelOptions): Step[] {
  const { epoch, version, promised, tracerSleeps, vcpus } = shared;
  const left = layout.word('gracePeriodsLeft', options.gracePeriods);
  const cursor = layout.word('tracer.vcpu');
  const changesSeen = layout.word('tracer.changes');
  const changesLast = options.mutation === 'changes loaded after the state';
  const at = (words: Words): ParkingVcpuWords => vcpus[words[cursor]!]!;
  const next = (words: Words): string => {
    words[cursor]!++;
    words[changesSeen] = 0;
    if (words[cursor]! < vcpus.length) return 'look';
    words[cursor] = 0;
    return 'promise';
  };
  const loadChanges = (from: string, then: string): Step => ({
    at: from,
    label: 'loads the changes',
    run: (words) => ((words[changesSeen] = words[at(words).changes]!), then),
  });
  return [
    {
      at: 'begin',
      label: 'changes the page',
      run: (words) => (words[left] === 0 ? 'end' : (words[version]!++, 'bump')),
    },
    { at: 'bump', label: 'bumps the epoch', run: (words) => (words[epoch]!++, 'look') },
    changesLast
      ? { at: 'look', label: 'begins to look', run: () => 'acknowledged' }
      : loadChanges('look', 'acknowledged'),
    {
      at: 'acknowledged',
      label: 'loads what is acknowledged',
      run: (words) => (words[at(words).acknowledged] === words[epoch] ? next(words) : 'state'),
    },
    {
      at: 'state',
      label: 'loads the state',
      run: (words) =>
        words[at(words).state] !== RUNNING ? next(words) : changesLast ? 'late changes' : 'wait',
    },
    loadChanges('late changes', 'wait'),
    {
      at: 'wait',
      label: 'waits for a change',
      run: (words) => {
        if (words[at(words).changes] !== words[changesSeen]) return 'look';
        words[tracerSleeps] = words[cursor]! + 1;
        return 'asleep';
      },
    },
    { at: 'asleep', label: 'wakes', run: (words) => (words[tracerSleeps] === 0 ? 'look' : undefined) },
    {
      at: 'promise',
      label: 'ends its grace period',
      run: (words) => {
        words[promised] = words[version]!;
        words[left]!--;
        return 'begin';
      },
    },
  ];
}

export function machineSteps(layout: WordLayout, shared: ParkingWords, options: ParkingModelOptions): Step[] {
  const { command, isRelied, machineSleeps, vcpus } = shared;
  const left = layout.word('parksLeft', options.parks);
  const cursor = layout.word('machine.vcpu');
  const stateSeen = layout.word('machine.state');
  const commands = (at: string, name: string, value: number, then: string): Step[] => [
    { at, label: `commands ${name}`, run: (words) => ((words[command] = value), `${at}, notify`) },
    {
      at: `${at}, notify`,
      label: `notifies of ${name}`,
      run: (words) => {
        for (const vcpu of vcpus) words[vcpu.isAsleep] = 0;
        return then;
      },
    },
  ];
  return [
    { at: 'begin', label: 'begins', run: (words) => (words[left] === 0 ? 'end' : 'run') },
    ...commands('run', 'RUN', RUN, 'park'),
    ...commands('park', 'PARK', PARK, 'look'),
    {
      at: 'look',
      label: 'loads a state',
      run: (words) => {
        words[stateSeen] = words[vcpus[words[cursor]!]!.state]!;
        if (words[stateSeen] !== PARKED) return 'wait';
        words[cursor]!++;
        if (words[cursor]! < vcpus.length) return 'look';
        words[cursor] = 0;
        words[isRelied] = 1;
        return 'relies';
      },
    },
    {
      at: 'wait',
      label: 'waits for a state',
      run: (words) => {
        if (words[vcpus[words[cursor]!]!.state] !== words[stateSeen]) return 'look';
        words[machineSleeps] = words[cursor]! + 1;
        return 'asleep';
      },
    },
    { at: 'asleep', label: 'wakes', run: (words) => (words[machineSleeps] === 0 ? 'look' : undefined) },
    {
      at: 'relies',
      label: 'needs its guest parked no longer',
      run: (words) => {
        words[isRelied] = 0;
        words[left]!--;
        return 'begin';
      },
    },
  ];
}
