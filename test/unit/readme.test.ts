// What is written for people, against what is there: flags, links, tables, and the length of the README.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...['docs', 'docs/decisions'].flatMap((folder) =>
    readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
];
const textOf = (document: string): string => readFileSync(path.join(root, document), 'utf8');

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

describe('the documents', () => {
  it('have every flag with its default as the command line has it: run npm run docs', () => {
    // The script says what is stale, on standard error.
    execFileSync(process.execPath, [path.join(root, 'scripts/docs.mjs'), '--check'], { stdio: 'pipe' });
  });

  it.each(documents)('have links that lead somewhere: %s', (document) => {
    const broken: string[] = [];
    for (const [, target = ''] of textOf(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? document : path.join(path.dirname(document), file);
      const headings = (): string[] =>
        [...textOf(linked).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
      if (!existsSync(path.join(root, linked))) broken.push(target);
      else if (anchor !== undefined && !headings().includes(anchor)) broken.push(target);
    }
    expect(broken).toEqual([]);
  });

  it.each(documents)('have tables whose rows have as many cells as their heads: %s', (document) => {
    const tables = textOf(document)
      .split(/\n(?!\|)/)
      .filter((block) => /^\n?\|/.test(block));
    for (const table of tables) {
      const widths = table
        .trim()
        .split('\n')
        .map((row) => row.replaceAll('\\|', '').split('|').length);
      expect(new Set(widths).size, table.slice(0, 200)).toBe(1);
    }
  });

  it('begin with a README that is read in one go', () => {
    const lines = textOf('README.md').split('\n');
    expect(lines.length).toBeLessThanOrEqual(201);
    expect(lines.filter((line) => line.startsWith('|') && line.length > 120)).toEqual([]);
  });

  it('are all in the index', () => {
    const index = textOf('docs/README.md');
    for (const name of readdirSync(path.join(root, 'docs')).filter(
      (file) => file.endsWith('.md') && file !== 'README.md',
    ))
      expect(index).toContain(`(${name})`);
  });
});
