// Collects what an audit finds: how many pages were checked, how many were wrong, and the first few in words.
import { PAGE_BYTES } from '../../memory/pages.js';
import type { AuditResult } from '../guest-program.js';

const FINDINGS_MAX = 5;

export class Audit {
  #checked = 0;
  #failed = 0;
  readonly #findings: string[] = [];

  /** Compares a whole page of the address space word by word; `expected` and `actual` have the same length. */
  comparePage(page: number, expected: Int32Array, actual: Int32Array): void {
    this.#checked++;
    for (let index = 0; index < expected.length; index++) {
      if (expected[index] === actual[index]) continue;
      this.fail(
        `page ${page} is wrong at gpa 0x${gpaText(page, index)}: it holds ${actual[index]}, ${expected[index]} was written`,
      );
      return;
    }
  }

  /** Checks a page that nobody ever wrote. */
  expectZeroPage(page: number, actual: Int32Array): void {
    this.#checked++;
    const index = actual.findIndex((word) => word !== 0);
    if (index === -1) return;
    this.fail(
      `page ${page} is beside the resident set and not zero at gpa 0x${gpaText(page, index)}: it holds ${actual[index]}`,
    );
  }

  fail(finding: string): void {
    this.#failed++;
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding);
  }

  result(): AuditResult {
    return {
      passed: this.#failed === 0,
      checked: this.#checked,
      failed: this.#failed,
      findings: this.#findings,
    };
  }
}

function gpaText(page: number, word: number): string {
  return (page * PAGE_BYTES + word * 4).toString(16);
}
