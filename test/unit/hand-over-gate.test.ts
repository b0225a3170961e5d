// The gate before a hand-over: of the thread that passes it and the one that shuts it, the first decides.
import { describe, expect, it } from 'vitest';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';

function sides(): { main: HandOverGate; worker: HandOverGate } {
  const buffer = allocateHandOverGate();
  return { main: new HandOverGate(buffer), worker: new HandOverGate(buffer) };
}

describe('the gate before a hand-over', () => {
  it('is shut until it is opened, and passed once', () => {
    const { main, worker } = sides();
    expect([worker.isOpen, worker.pass(), main.isPassed]).toEqual([false, false, false]);
    main.open();
    expect([worker.isOpen, worker.pass(), worker.pass()]).toEqual([true, true, false]);
    expect([main.isOpen, main.isPassed]).toEqual([false, true]);
  });

  it('is not passed once it was shut, and may be shut again', () => {
    const { main, worker } = sides();
    expect(main.shut()).toBe(true);
    main.open();
    expect([main.shut(), main.shut()]).toEqual([true, true]);
    expect([worker.isOpen, worker.pass(), main.isPassed]).toEqual([false, false, false]);
  });

  it('is neither shut nor opened once it was passed', () => {
    const { main, worker } = sides();
    main.open();
    worker.pass();
    expect(main.shut()).toBe(false);
    main.open();
    expect([main.isOpen, main.isPassed, worker.pass()]).toEqual([false, true, false]);
  });
});
