// What is asked of the source on the fault connection, and which of its answers are refused.
import { describe, expect, it } from 'vitest';
import { WantedPages } from '../../src/destination/faults/wanted-pages.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { REQUESTS_MAX } from '../../src/shared/limits.js';

function pages() {
  const asked: number[] = [];
  const placed = new Set<number>();
  const wanted = new WantedPages(
    (page) => !placed.has(page),
    (page) => asked.push(page),
  );
  return { wanted, asked, placed };
}

describe('a wanted page', () => {
  it('is asked for once, whoever else wants it', () => {
    const { wanted, asked } = pages();
    wanted.open();
    expect([wanted.want(3), wanted.want(3), wanted.want(4)]).toEqual([true, false, true]);
    expect(asked).toEqual([3, 4]);
  });

  it('is asked for when the connection is welcome, and again on the next one if it did not come', () => {
    const { wanted, asked } = pages();
    wanted.want(1);
    wanted.want(2);
    expect(asked).toEqual([]);
    wanted.open();
    wanted.noteSent(1);
    wanted.close();
    wanted.want(3);
    expect(asked).toEqual([1, 2]);
    wanted.open();
    expect(asked).toEqual([1, 2, 2, 3]);
  });

  it('is not asked for when the push has brought it meanwhile', () => {
    const { wanted, asked, placed } = pages();
    wanted.want(1);
    wanted.want(2);
    placed.add(1);
    wanted.open();
    expect(asked).toEqual([2]);
    expect(wanted.want(1)).toBe(false);
  });

  it('waits while as many requests are unanswered as the protocol allows', () => {
    const { wanted, asked } = pages();
    wanted.open();
    for (let page = 0; page < REQUESTS_MAX + 2; page++) wanted.want(page);
    expect(asked).toHaveLength(REQUESTS_MAX);
    wanted.noteSent(5);
    expect(asked.at(-1)).toBe(REQUESTS_MAX);
    expect(asked).toHaveLength(REQUESTS_MAX + 1);
  });
});

describe('a page that comes unasked', () => {
  it('is taken as often as was said once the guest is here, also when it was asked for meanwhile', () => {
    const { wanted, asked } = pages();
    wanted.open();
    wanted.expectAhead(2);
    wanted.noteSent(1);
    wanted.want(2);
    // The one that came unasked, and then the answer.
    wanted.noteSent(2);
    wanted.noteSent(2);
    expect(asked).toEqual([2]);
    expect(() => {
      wanted.noteSent(3);
    }).toThrow('page 3 was sent and not asked for');
  });
});

describe('a page on the fault connection', () => {
  it('is refused when nobody asked for it, when it comes twice, and when another connection was asked', () => {
    const { wanted } = pages();
    wanted.open();
    expect(() => {
      wanted.noteSent(7);
    }).toThrow(ProtocolError);
    wanted.want(7);
    wanted.noteSent(7);
    expect(() => {
      wanted.noteSent(7);
    }).toThrow('page 7 was sent and not asked for');
    wanted.want(8);
    wanted.close();
    expect(() => {
      wanted.noteSent(8);
    }).toThrow(ProtocolError);
  });
});
