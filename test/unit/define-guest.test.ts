// What people write as a guest: checked before anything of it runs, each mistake told with the file that it is in.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { defineGuest, factsOf, type GuestDefinition } from '../../src/shared/guest/define-guest.js';
import { moduleAt } from '../../src/shared/guest/guest-module.js';
import type { GuestSpec } from '../../src/shared/guest/guest-program.js';
import { GuestMachine } from '../../src/shared/guest/machine.js';
import { codeHashOf } from '../../src/shared/guest/programs/catalogue.js';
import { readFacts } from '../../src/shared/guest/read-facts.js';

const folder = mkdtempSync(path.join(tmpdir(), 'guest-module-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const runSlice = (): void => undefined;

/** A file of that text; answers its URL. */
function moduleOf(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return pathToFileURL(file).href;
}

describe('a guest that people define', () => {
  it('is answered as it is, and says what it is made for', () => {
    const guest = { name: 'counter', memory: '8MiB', vcpus: 3, runSlice };
    expect(defineGuest(guest)).toBe(guest);
    expect(factsOf(guest)).toEqual({ name: 'counter', memoryBytes: 8 << 20, vcpus: 3, devices: [] });
    expect(factsOf({ create: () => ({ runSlice }) })).toEqual({ devices: [] });
    const devices = { web: { kind: 'service', connections: 7 }, tty: { kind: 'console' } };
    expect(factsOf({ runSlice, devices }).devices).toEqual([
      { name: 'web', kind: 'service', connections: 7, ringBytes: 16_384 },
      { name: 'tty', kind: 'console', connections: 1, ringBytes: 65_536 },
    ]);
  });

  it.each([
    ['nothing', undefined, /an object .*not undefined/],
    ['a list', [], /not a list/],
    ['a function', runSlice, /not function/],
    ['no program', { name: 'idle' }, /runSlice\(vcpu\).*has none/],
    ['a slip of the pen', { runslice: runSlice }, /no "runslice".*runSlice/],
    ['a slice that is no function', { runSlice: 'often' }, /"runSlice" is a function, not string/],
    ['an audit that is no function', { runSlice, audit: true }, /"audit" is a function, not boolean/],
    ['two programs', { runSlice, create: () => ({ runSlice }) }, /create or runSlice, not both/],
    ['half a page', { runSlice, memory: 2048 }, /"memory".*pages.*2048/],
    ['no size', { runSlice, memory: 'lots' }, /"memory".*"lots" is no size/],
    ['a device of no kind', { runSlice, devices: { disk: {} } }, /"disk" is of a kind.*console/],
    [
      'a device with a slip of the pen',
      { runSlice, devices: { web: { kind: 'service', ports: 1 } } },
      /"web" has no "ports"/,
    ],
    [
      'a device with odd rings',
      { runSlice, devices: { web: { kind: 'service', ringBytes: 5000 } } },
      /rings of 5000 bytes; a power of two/,
    ],
    ['a list of devices', { runSlice, devices: ['web'] }, /"devices" has a device for each name/],
    ['half a vCPU', { runSlice, vcpus: 1.5 }, /"vcpus".*1 to 64.*1\.5/],
    ['a name that orders a terminal about', { runSlice, name: 'a\u001b[2J' }, /"name" is up to 64/],
  ])('is refused when it is %s', (_, definition, complaint) => {
    expect(() => defineGuest(definition as unknown as GuestDefinition)).toThrow(complaint);
  });
});

describe("a guest's module", () => {
  it('says what it is made for', async () => {
    const module = moduleOf('good.mjs', "export default { memory: '1MiB', runSlice() {} };");
    await expect(readFacts(module)).resolves.toEqual({ memoryBytes: 1 << 20, devices: [] });
  });

  it.each([
    ['has no default export', 'export const guest = {};', /no default export/],
    ['exports something else', 'export default 7;', /an object .*not number/],
    ['has a mistake in its syntax', 'export default {\n  runSlice( };', /SyntaxError.*\(line 2\)/],
    ['throws', "throw new Error('not today');", /Error: not today/],
    ['imports what is not there', "import './gone.mjs';", /Cannot find module .*gone\.mjs/],
    ['ends its process', 'process.exit(3);', /ended with status 3/],
    ['kills its process', "process.kill(process.pid, 'SIGKILL');", /ended with signal SIGKILL/],
    ['waits for what never comes', 'await new Promise(() => undefined);', /never finishes loading/],
  ])('is refused by its file when it %s', async (what, text, complaint) => {
    const module = moduleOf(`bad ${what.replaceAll(' ', '-')}.mjs`, text);
    const failure = await readFacts(module).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'GUEST_FAILED',
      message: expect.stringMatching(complaint) as string,
    });
    expect((failure as Error).message).toContain(`bad ${what.replaceAll(' ', '-')}.mjs`);
  });

  it('is refused when it loops at its top level', async () => {
    await expect(readFacts(moduleOf('loop.mjs', 'for (;;);'), 500)).rejects.toThrow(
      /loop\.mjs: it never finishes loading/,
    );
  });

  it('is a file that is there, and of TypeScript only where Node runs that', () => {
    expect(() => moduleAt(path.join(folder, 'nobody.js'))).toThrow(/there is no file .*nobody\.js/);
    expect(() => moduleAt(folder)).toThrow(/there is no file/);
    moduleOf('typed.ts', 'export default {};');
    const { typescript } = process.features as { readonly typescript?: unknown };
    if (typescript === undefined || typescript === false)
      expect(() => moduleAt(path.join(folder, 'typed.ts'))).toThrow(/does not run TypeScript.*compile it/);
    else expect(moduleAt(path.join(folder, 'typed.ts'))).toMatch(/typed\.ts$/);
  });
});

describe('a machine of a guest that people bring', () => {
  const spec: GuestSpec = {
    program: 'replay',
    memoryBytes: 1 << 20,
    vcpus: 2,
    seed: 7,
    writeRate: 1,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  };

  it('runs its code, whatever it is called, and audits with it', async () => {
    const module = moduleOf(
      'ours.mjs',
      `export default { create: ({ seed }) => ({
        boot({ memory }) { memory.store32(4096, seed); },
        runSlice(vcpu) { vcpu.haltUntil(vcpu.nowUs() + 1e6); },
        audit: ({ memory }) => ({ passed: true, checked: memory.load32(4096), failed: 0, findings: [] }),
      }) };`,
    );
    const machine = new GuestMachine(spec, { failed: runSlice }, { module });
    expect(machine.codeHash).toBe(codeHashOf('', module));
    expect(machine.codeHash).not.toBe(codeHashOf('replay'));
    try {
      await machine.start(true);
      await machine.resume();
      await machine.park();
      expect(machine.counters().slices).toBeGreaterThan(0);
      await expect(machine.audit()).resolves.toMatchObject({ passed: true, checked: 7 });
    } finally {
      await machine.close();
    }
  });

  it.each([
    [
      'throws',
      "throw new Error('not today');",
      /vCPU 0 .*there\.mjs: it could not be loaded: Error: not today/,
    ],
    ['ends its thread', 'process.exit(3);', /vCPU 0 .*status 3/],
    ['waits for what never comes', 'await new Promise(() => undefined);', /vCPU 0 .*status 13/],
    ['makes no program', 'export default { create: () => 7 };', /there\.mjs: its create\(spec\) failed/],
  ])('does not start when its module %s by then', async (_, text, complaint) => {
    const machine = new GuestMachine(spec, { failed: runSlice }, { module: moduleOf('there.mjs', text) });
    await expect(machine.start(true)).rejects.toMatchObject({
      code: 'GUEST_FAILED',
      message: expect.stringMatching(complaint) as string,
    });
    await machine.close();
  });
});
