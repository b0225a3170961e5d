// Wrong flags: exit status 2, one sentence on standard error that names the value, nothing on standard output.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, runCli } from '../support/cli.js';

const to = ['--to', '127.0.0.1:7000'];

// What is typed, and what the complaint must name.
const wrong: readonly (readonly [typed: readonly string[], named: readonly string[]])[] = [
  [['frobnicate'], ['frobnicate']],
  [['demo', '--nonsense'], ['nonsense']],
  [
    ['demo', '--guest', 'nobody'],
    ['nobody', 'hot-set', './nobody.js'],
  ],
  [['demo', '--guest', './nobody.js'], ['there is no file ./nobody.js']],
  [
    ['destination', '--allow-guest', 'nobody'],
    ['--allow-guest nobody', 'hot-set', './nobody.js'],
  ],
  [['destination', '--allow-guest', './nobody.js'], ['there is no file ./nobody.js']],
  [
    ['demo', '--memory', 'lots'],
    ['lots', '256MiB'],
  ],
  [
    ['demo', '--memory', '5000'],
    ['5000', '4096', '8192'],
  ],
  [
    ['demo', '--memory', '0'],
    ['"0"', '256MiB'],
  ],
  [
    ['demo', '--memory', '5000TiB'],
    ['5000TiB', '4096TiB'],
  ],
  [
    ['demo', '--migrate-after', 'soon'],
    ['soon', '10ms'],
  ],
  [['demo', '--stun-budget=-1ms'], ['-1ms']],
  [
    ['demo', '--write-rate', 'fast'],
    ['fast', 'max'],
  ],
  [
    ['demo', '--hot-set', '5000'],
    ['5000', '8192'],
  ],
  [
    ['demo', '--memory', '4MiB', '--hot-set', '8MiB'],
    ['--hot-set', '4194304'],
  ],
  [
    ['demo', '--guest', 'zipf', '--hot-set', '1MiB'],
    ['--hot-set', 'zipf'],
  ],
  [
    ['demo', '--resident', '3MiB'],
    ['--resident 3MiB', '2 MiB', '4194304'],
  ],
  [
    ['demo', '--memory', '64MiB', '--resident', '66MiB'],
    ['--resident', '67108864'],
  ],
  [
    ['demo', '--memory', '4198400', '--resident', '2MiB'],
    ['--memory 4198400', '6291456'],
  ],
  [
    ['demo', '--memory', '64MiB', '--resident', '8MiB', '--hot-set', '12MiB'],
    ['--hot-set', '8388608'],
  ],
  [
    ['demo', '--vcpus', '0'],
    ['--vcpus 0', '1 to 64'],
  ],
  [
    ['demo', '--vcpus', '65'],
    ['--vcpus 65', '1 to 64'],
  ],
  [
    ['demo', '--vcpus', 'abc'],
    ['--vcpus abc', '1 to 64'],
  ],
  [
    ['demo', '--connections', '0'],
    ['--connections 0', '1 to 16'],
  ],
  [
    ['demo', '--connections', '17'],
    ['--connections 17', '1 to 16'],
  ],
  [
    ['demo', '--mode', 'teleport'],
    ['teleport', 'hybrid'],
  ],
  [
    ['demo', '--memory', '4MiB', '--memory', '8MiB'],
    ['4MiB', '8MiB', 'once'],
  ],
  [
    ['demo', '--guest', 'uniform', '--guest', 'zipf'],
    ['uniform', 'zipf', 'once'],
  ],
  [
    ['demo', '--mode', 'hybrid', '--mode', 'pre-copy'],
    ['hybrid', 'pre-copy', 'once'],
  ],
  [
    ['compare', '--runs', '0'],
    ['--runs 0', '1 to 10000'],
  ],
  [
    ['compare', '--out', 'no/such/folder.json'],
    ['--out', 'no/such/folder.json'],
  ],
  [
    ['compare', '--a', '--mode hybrid'],
    ['--a', '--b'],
  ],
  [
    ['compare', '--mode', 'hybrid'],
    ['--mode', '--a and --b'],
  ],
  [['source'], ['to']],
  [
    ['source', '--to', 'nowhere'],
    ['nowhere', '127.0.0.1:7000'],
  ],
  [
    ['source', '--to', '127.0.0.1:70000'],
    ['127.0.0.1:70000', '65535'],
  ],
  [
    ['source', ...to, ...to],
    ['127.0.0.1:7000', 'once'],
  ],
  [['source', ...to, '--listen', '127.0.0.1:70000'], ['127.0.0.1:70000']],
  [
    ['source', ...to, '--listen', '127.0.0.1:65535'],
    ['65535', '--listen'],
  ],
  [['destination', '--listen', 'a:b:c'], ['a:b:c']],
  [['destination', '--max-memory', 'much'], ['much']],
  [['destination', '--run-for', 'ever'], ['ever']],
];

afterEach(endAll);

describe('wrong usage', () => {
  it.each(wrong.map(([typed, named]) => ({ typed: typed.join(' '), args: typed, named })))(
    'is refused: $typed',
    async ({ args, named }) => {
      const { status, stdout, stderr } = await runCli(...args);
      for (const word of named) expect(stderr).toContain(word);
      expect(stderr).toMatch(/^microstun: .+\n/);
      expect(stderr).not.toMatch(/this is a bug|^ +at /m);
      expect(stdout).toBe('');
      expect(status).toBe(2);
    },
  );
});
