import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeGuest } from '../../src/cli/new-guest.js';

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'microstun-new-guest-'));
});
afterEach(() => {
  rmSync(parent, { recursive: true });
});

describe('a new guest', () => {
  it('is a folder of its name, with that name wherever the guest is called something', () => {
    makeGuest('long-counter', parent);
    const folder = path.join(parent, 'long-counter');
    expect(readdirSync(folder).sort()).toEqual(['README.md', 'guest.js', 'guest.test.js', 'package.json']);
    const texts = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'utf8'));
    expect(texts.filter((text) => text.includes('long-counter'))).toHaveLength(4);
    expect(texts.filter((text) => /my-guest|\^0\.0\.0/.test(text))).toEqual([]);
  });

  it('leaves a folder as it is that is there', () => {
    mkdirSync(path.join(parent, 'mine'));
    expect(() => {
      makeGuest('mine', parent);
    }).toThrow('there is a mine here already, which stays');
    expect(readdirSync(path.join(parent, 'mine'))).toEqual([]);
  });

  it('has no name that leads elsewhere, or that no package may have', () => {
    for (const name of ['../up', '', 'Upper', 'a b', '.hidden', `a${'b'.repeat(64)}`])
      expect(() => {
        makeGuest(name, parent);
      }, name).toThrow('is no name for a guest');
    expect(readdirSync(parent)).toEqual([]);
  });

  it('says what could not be written where there is no folder to write to', () => {
    expect(() => {
      makeGuest('mine', path.join(parent, 'nowhere'));
    }).toThrow(/mine could not be written: ENOENT/);
  });
});
