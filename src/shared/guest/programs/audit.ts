// Collects what an audit finds: how many pages were checked, how many were wrong, and the first few in words.
import type { AuditResult } from '../guest-program.js';

const FINDINGS_MAX = 5;

export class Audit {
  #checked = 0;
  #failed = 0;
  readonly #findings: string[] = [];

  /** Compares a whole page word by word; `expected` and `actual` have the same length. */
  comparePage(page: number, expected: Int32Array, actual: Int32Array): void {
    this.#checked++;
    for (let index = 0; index < expected.length; index++) {
      if (expected[index] === actual[index]) continue;
      const gpa = (page * 4096 + index * 4).toString(16);
      this.fail(
        `page ${page} is wrong at gpa 0x${gpa}: it holds ${actual[index]}, ${expected[index]} was written`,
      );
      return;
    }
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
