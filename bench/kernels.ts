// The kernels in WebAssembly against the same work in TypeScript: the first call of a process, and warm.
// A switch-over happens once, so the first call is what counts in it.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FIRED_PAGES, kernelContests, KERNELS_MEMORY_BYTES, timeUs } from './kernels-contests.js';
import { median, table } from './statistics.js';

const RUNS = 41;
const WARM_UPS = 10;
const PROCESSES = 7;
/** As the program sets them for itself (docs/decisions/0014-engine-flags.md). */
const ENGINE_FLAGS = ['--no-lazy', '--no-flush-bytecode'];

type Form = 'typescript' | 'kernel';
type Times = Readonly<Record<Form, number>>;

export interface KernelFigures {
  readonly memoryBytes: number;
  readonly firedPages: number;
  readonly runs: number;
  readonly processes: number;
  /** Microseconds, medians. */
  readonly kernels: readonly { readonly name: string; readonly firstUs: Times; readonly warmUs: Times }[];
}

export function benchKernels(runs = RUNS): KernelFigures {
  const first = Array.from({ length: PROCESSES }, () => ({
    typescript: firstUs('typescript'),
    kernel: firstUs('kernel'),
  }));
  const kernels = kernelContests.map(({ name, prepare, typescript, kernel }, nth) => {
    const warm: Record<Form, number[]> = { typescript: [], kernel: [] };
    for (let run = 0; run < WARM_UPS + runs; run++) {
      for (const [form, work] of [
        ['typescript', typescript],
        ['kernel', kernel],
      ] as const) {
        prepare();
        const us = timeUs(work);
        if (run >= WARM_UPS) warm[form].push(us);
      }
    }
    const firstOf = (form: Form): number => median(first.map((times) => times[form][nth]!));
    return {
      name,
      firstUs: { typescript: firstOf('typescript'), kernel: firstOf('kernel') },
      warmUs: { typescript: median(warm.typescript), kernel: median(warm.kernel) },
    };
  });
  return { memoryBytes: KERNELS_MEMORY_BYTES, firedPages: FIRED_PAGES, runs, processes: PROCESSES, kernels };
}

function firstUs(form: Form): number[] {
  const script = fileURLToPath(new URL('./kernels-cold.js', import.meta.url));
  const printed = execFileSync(process.execPath, [...ENGINE_FLAGS, script, form], { encoding: 'utf8' });
  return JSON.parse(printed) as number[];
}

export function renderKernels({ firedPages, runs, processes, kernels }: KernelFigures): string {
  return [
    `Kernels against TypeScript: 2 GiB, ${firedPages} dirty pages; first calls of ${processes} processes, then ${runs} warm ones in turn, medians in µs`,
    table(
      ['', 'first: TypeScript', 'kernel', 'ratio', 'warm: TypeScript', 'kernel', 'ratio'],
      kernels.map(({ name, firstUs: one, warmUs }) => [
        name,
        ...[one, warmUs].flatMap(({ typescript, kernel }) => [
          typescript.toFixed(0),
          kernel.toFixed(0),
          (typescript / kernel).toFixed(1),
        ]),
      ]),
    ),
  ].join('\n');
}
