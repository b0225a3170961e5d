// Whose guests a destination takes: by their program's name, and by its code.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { AllowedGuests } from '../../src/destination/allowed-guests.js';
import { letIn } from '../../src/destination/prepare-check.js';
import { codeHashOf, programNames } from '../../src/shared/guest/programs/catalogue.js';
import { hashOfCode } from '../../src/shared/guest/programs/program-code.js';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import { openHouse } from '../support/open-house.js';
import { examples } from './message-examples.js';

const [example] = examples.PREPARE;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function prepareOf(program: string, codeHash = codeHashOf(program)): MessageOf<'PREPARE'> {
  return { ...example, guest: { ...example.guest, program }, codeHash };
}

describe('the guests that a destination takes', () => {
  it.each(programNames)('are all built-in ones unless it is said, such as %s', (program) => {
    new AllowedGuests().check(prepareOf(program));
  });

  it('are those that are allowed, and another is told which, and how to allow it', () => {
    const allowed = new AllowedGuests(['replay', 'zipf']);
    allowed.check(prepareOf('zipf'));
    expect(() => {
      allowed.check(prepareOf('uniform'));
    }).toThrow(/"uniform" is not allowed here; choose one of replay, zipf.*--allow-guest uniform/);
  });

  it.each(['/etc/passwd', '../../evil.js', 'file:///tmp/evil.js', '__proto__', 'constructor', ''])(
    'are never looked for elsewhere: %j is no guest',
    (program) => {
      expect(() => {
        new AllowedGuests().check(prepareOf(program, example.codeHash));
      }).toThrow(/there is no guest ".*" here; choose one of uniform, hot-set/);
    },
  );

  it('are of the code that is here: of another both hashes are told, and what to do', () => {
    const ours = codeHashOf('replay').slice(0, 12);
    expect(() => {
      new AllowedGuests().check(prepareOf('replay', example.codeHash));
    }).toThrow(`"replay" is 0123456789ab… at the source and ${ours}… here; install the same build`);
  });

  it('are looked at before any memory is promised to them', () => {
    const room = {
      ...openHouse.room,
      promise: () => {
        throw new Error('memory was promised');
      },
    };
    expect(() => letIn(prepareOf('nobody'), 'm', { allowed: new AllowedGuests(), room })).toThrow(
      /there is no guest "nobody"/,
    );
  });
});

describe("the hash of a guest program's code", () => {
  /** Files by name, in a folder of their own; answers the hash of the first. */
  function hashOf(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'guest-code-'));
    folders.push(folder);
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return hashOfCode(pathToFileURL(path.join(folder, Object.keys(files)[0]!)));
  }

  const main =
    "import { step } from './step.js';\nexport * from './deep/more.js';\nawait import('./late.js');\n";
  const files = {
    'main.js': main,
    'step.js': 'export const step = 1;\n',
    'deep/more.js': "import '../step.js';\n",
    'late.js': '',
  };

  it('is the same wherever the files lie, and whatever else lies there', () => {
    const hash = hashOf(files);
    expect(hash).toMatch(/^[\da-f]{64}$/);
    expect(hashOf(files)).toBe(hash);
    expect(hashOf({ ...files, 'other.js': 'of nobody' })).toBe(hash);
  });

  it.each(Object.keys(files))('is another when %s is', (name) => {
    expect(hashOf({ ...files, [name]: `${files[name as keyof typeof files]}// changed\n` })).not.toBe(
      hashOf(files),
    );
  });

  it('is not that of a program whose text is split up between its files in another way', () => {
    expect(hashOf({ 'a.js': "import './b.js';\n", 'b.js': '// x\n' })).not.toBe(
      hashOf({ 'a.js': "import './b.js';\n// x\n", 'b.js': '' }),
    );
  });

  it('leaves out what lies above the program, which is of the machine', () => {
    const above = { 'guest/main.js': "import '../machine.js';\n" };
    expect(hashOf({ ...above, 'machine.js': '1' })).toBe(hashOf({ ...above, 'machine.js': '2' }));
  });

  it('cannot be had of code that cannot be read', () => {
    expect(() => hashOf({ 'a.js': "import './gone.js';" })).toThrow(/cannot be read: .*gone\.js/);
  });

  it('differs between built-in programs whose code differs', () => {
    expect(codeHashOf('replay')).not.toBe(codeHashOf('uniform'));
    expect(codeHashOf('zipf')).toBe(codeHashOf('uniform'));
    expect(codeHashOf('nobody')).toBe('');
  });
});
