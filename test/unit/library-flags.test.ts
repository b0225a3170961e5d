import type yargs from 'yargs';
import { describe, expect, it } from 'vitest';
import { destinationFlags, orderedGuestFlags, migrateOrderFlags } from '../../src/cli/command-flags.js';
import { flagsOf } from '../../src/library/flags.js';
import type { GuestOptions, MigrateOptions, MigrationShape, NodeOptions } from '../../src/library/options.js';

/** All names that a caller may use, by the types: one that is missing or too much does not compile. */
type Names<Options> = Record<keyof Required<Options>, true>;
const ofProcess = { signal: true, onLine: true, execArgv: true } as const;
const ofSecurity = { keyFile: true, tlsCert: true, tlsKey: true, tlsCa: true, tlsPeer: true } as const;
const ofGuest: Names<GuestOptions> = {
  ...ofProcess,
  ...{ logLevel: true, guest: true, memory: true, vcpus: true, seed: true, writeRate: true },
  ...{ hotSet: true, resident: true, paused: true, publish: true, carry: true },
};
const ofShape: Names<MigrationShape> = {
  ...{ mode: true, trace: true, bitmap: true, maxRounds: true, timeLimit: true, onTimeout: true },
  ...{ stunBudget: true, audit: true, auditAfter: true, guestNotice: true, checksums: true, verify: true },
  ...{
    connections: true,
    dial: true,
    bandwidth: true,
    faultBandwidth: true,
    delay: true,
    cut: true,
    connectTimeout: true,
  },
  ...{ reconnectTimeout: true, inDoubtAfter: true, inDoubt: true },
};
const ofNode: Names<NodeOptions> = {
  ...ofProcess,
  ...ofSecurity,
  ...ofShape,
  ...{ logLevel: true, insecure: true, listen: true, maxGuests: true, maxMemory: true, allowGuest: true },
  ...{ reserve: true, runFor: true, once: true, pageListen: true, publish: true, carry: true },
  ...{ forwardTo: true, hops: true, migrateAfter: true, retries: true },
};
const ofMigration: Names<MigrateOptions> = {
  ...ofSecurity,
  ...ofShape,
  ...{ signal: true, insecure: true, to: true, listen: true },
};

/** The flags that `add` tells yargs, by the names that options have. */
function flagNames(add: (y: ReturnType<typeof yargs>) => unknown): Set<string> {
  const names = new Set<string>();
  const recorder: ReturnType<typeof yargs> = new Proxy({} as ReturnType<typeof yargs>, {
    get: (_, method) => (name: string) => {
      if (method === 'option') names.add(name.replaceAll(/-[a-z]/g, (part) => part.slice(1).toUpperCase()));
      return recorder;
    },
  });
  add(recorder);
  return names;
}

const ours = new Set(Object.keys(ofProcess));
const namesOf = (names: object): string[] => Object.keys(names).filter((name) => !ours.has(name));

describe('options of the library', () => {
  it('are flags of the command line, by the same names', () => {
    const ofSharedFlags = flagNames(destinationFlags);
    expect(namesOf(ofGuest).filter((name) => !flagNames(orderedGuestFlags).has(name))).toEqual([]);
    expect(namesOf(ofNode).filter((name) => !ofSharedFlags.has(name))).toEqual([]);
    expect(namesOf(ofMigration).filter((name) => !flagNames(migrateOrderFlags).has(name))).toEqual([]);
  });

  it('leave out no flag of a guest, a node or a migration', () => {
    const known = new Set([...namesOf(ofGuest), 'json']);
    const knownOfNode = new Set([...namesOf(ofNode), 'json']);
    expect([...flagNames(destinationFlags)].filter((name) => !knownOfNode.has(name))).toEqual([]);
    expect([...flagNames(orderedGuestFlags)].filter((name) => !known.has(name))).toEqual([]);
    const shaping = new Set(namesOf(ofMigration));
    expect([...flagNames(migrateOrderFlags)].filter((name) => !shaping.has(name))).toEqual([]);
  });

  it('are written so that no value can be taken for a flag', () => {
    expect(
      flagsOf({ stunBudget: '-1ms', audit: false, verify: true, connections: 3, seed: undefined }),
    ).toEqual(['--stun-budget=-1ms', '--no-audit', '--verify', '--connections=3']);
    expect(flagsOf({ allowGuest: ['--json', 'replay'], signal: AbortSignal.abort() })).toEqual([
      '--allow-guest=--json',
      '--allow-guest=replay',
    ]);
  });
});
