// Whose guests a destination takes: by their program's name, and by its code.
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { AllowedGuests, type AllowedModule } from '../../src/destination/allowed-guests.js';
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

describe('guests that people bring', () => {
  /** As `--allow-guest` names a file of that text. */
  function moduleOf(name: string, text: string): AllowedModule & { readonly hash: string } {
    const folder = mkdtempSync(path.join(tmpdir(), 'allowed-guest-'));
    folders.push(folder);
    writeFileSync(path.join(folder, name), text);
    const module = pathToFileURL(path.join(folder, name)).href;
    return { file: `./${name}`, module, hash: codeHashOf('', module) };
  }

  it('are found by their code, whatever the source calls them', () => {
    const [one, other] = [moduleOf('one.js', '1'), moduleOf('other.js', '2')];
    const allowed = new AllowedGuests(['replay'], [one, other]);
    expect(allowed.check(prepareOf('whatever', other.hash))).toBe(other.module);
    expect(allowed.check(prepareOf('replay', one.hash))).toBe(one.module);
    expect(allowed.check(prepareOf('replay'))).toBeUndefined();
  });

  it('are not those whose code has changed since, and both hashes are told', () => {
    const mine = moduleOf('mine.js', '1');
    writeFileSync(fileURLToPath(mine.module), '2');
    const ours = codeHashOf('', mine.module).slice(0, 12);
    expect(() => new AllowedGuests([], [mine]).check(prepareOf('mine.js', mine.hash))).toThrow(
      new RegExp(
        `"mine\\.js", whose code is ${mine.hash.slice(0, 12)}….*\\./mine\\.js \\(code ${ours}….*--allow-guest`,
      ),
    );
  });

  it('have to be what they are pinned to when they come', () => {
    const mine = moduleOf('mine.js', '1');
    const pinned = mine.hash.slice(0, 12);
    expect(new AllowedGuests([], [{ ...mine, pinned }]).check(prepareOf('x', mine.hash))).toBe(mine.module);
    writeFileSync(fileURLToPath(mine.module), '2');
    const now = codeHashOf('', mine.module);
    expect(() => new AllowedGuests([], [{ ...mine, pinned }]).check(prepareOf('x', now))).toThrow(
      new RegExp(`has to be ${pinned}`),
    );
  });

  it('are refused, with a word of their file, once that is gone', () => {
    const mine = moduleOf('mine.js', '1');
    unlinkSync(fileURLToPath(mine.module));
    expect(() => new AllowedGuests([], [mine]).check(prepareOf('x', mine.hash))).toThrow(
      /\.\/mine\.js \(the code of a guest program cannot be read/,
    );
  });

  it('are looked for nowhere where no file was named, and it is said how to', () => {
    expect(() => new AllowedGuests().check(prepareOf('my-guest.js', example.codeHash))).toThrow(
      /there is no guest "my-guest\.js" here.*--allow-guest and its path/,
    );
  });
});

describe("the hash of a guest program's code", () => {
  /** Files by name, in a folder of their own; answers the hash of the first. */
  function hashOf(files: Readonly<Record<string, string>>, isOfMicrostun = false): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'guest-code-'));
    folders.push(folder);
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    const main = pathToFileURL(path.join(folder, Object.keys(files)[0]!));
    return isOfMicrostun ? hashOfCode(main, pathToFileURL(folder).href) : hashOfCode(main);
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

  const above = { 'guest/main.js': "import '../above.js';\n" };

  it('leaves out what lies above the program in microstun, which is the machine', () => {
    expect(hashOf({ ...above, 'above.js': '1' }, true)).toBe(hashOf({ ...above, 'above.js': '2' }, true));
  });

  it('is another when what a guest that people bring imports from above is', () => {
    expect(hashOf({ ...above, 'above.js': '1' })).not.toBe(hashOf({ ...above, 'above.js': '2' }));
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
