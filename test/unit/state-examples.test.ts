// The examples of docs/guests.md, "State", as they stand there: each is a guest that runs for a while and passes its audit.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { GuestProgram, Vcpu } from '../../src/shared/guest/guest-program.js';
import * as microstun from '../../src/library/guest-code.js';
import { below, nextRandom } from '../../src/shared/guest/programs/random.js';
import { memoryOf } from './state-fixtures.js';

interface Example extends GuestProgram {
  readonly name: string;
  readonly vcpus?: number;
}

const text = readFileSync(path.join(import.meta.dirname, '../../docs/guests.md'), 'utf8');
const [, section] = /\n## State\n([^]*?)\n## /.exec(text)!;
const examples = [...section!.matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => exampleOf(code!));

/** What the module exports. */
function exampleOf(code: string): Example {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  });
  const exports: { default?: Example } = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const run = new Function('exports', 'require', outputText) as (...args: unknown[]) => void;
  run(exports, () => microstun);
  return exports.default!;
}

describe('an example of docs/guests.md', () => {
  it('is there for each of the structures', () => {
    for (const name of ['record', 'Mutex', 'Condition', 'RingQueue', 'Arena', 'Heap', 'HashMap'])
      expect(section).toMatch(new RegExp(`import {[^}]*\\b${name}\\b[^}]*} from 'microstun/guest'`));
  });

  it.each(examples)('runs: $name', (example) => {
    const memory = memoryOf(64 << 20);
    const registers = Array.from({ length: example.vcpus ?? 2 }, () => new Float64Array(32));
    let [nowUs, work, random] = [0, 0, 7];
    const vcpus = registers.map((values, id): Omit<Vcpu, 'devices'> => ({
      id,
      memory,
      registers: values,
      nowUs: () => nowUs++,
      haltUntil: () => undefined,
      powerOff: () => {
        throw new Error('it is not to power off');
      },
      countWork: (count) => {
        work += count;
      },
    }));
    example.boot?.({ memory, registers });
    for (let slice = 0; slice < 2000; slice++) {
      example.runSlice(vcpus[below((random = nextRandom(random)), vcpus.length)] as Vcpu);
    }
    expect(work).toBeGreaterThan(100);
    const audit = example.audit?.({ memory, registers });
    expect(audit?.findings ?? []).toEqual([]);
  });
});
