// Every interleaving of a switch-over, from the guest that runs at the source to the one that runs at the destination, or
// stays; and, so that the models are known to see anything, the same with one ordering broken at a time.
import { describe, expect, it } from 'vitest';
import { explore, formatCounterexample, type Model } from '../support/explorer.js';
import { resumeModel } from '../support/models/resume-model.js';
import { switchOverModel } from '../support/models/switch-over-model.js';

function expectHolds(name: string, model: Model): void {
  const { states, counterexample } = explore(model);
  console.log(`${name}: ${states} states explored`);
  expect(counterexample === undefined ? undefined : formatCounterexample(counterexample)).toBeUndefined();
}

function expectBroken(model: Model, reason: RegExp): void {
  const { states, counterexample } = explore(model);
  expect(counterexample, `none in ${states} states`).toBeDefined();
  expect(formatCounterexample(counterexample!)).toMatch(reason);
  console.log(`${counterexample!.trace.length} steps, ${states} states: ${counterexample!.reason}`);
}

describe('the two gates of a switch-over', () => {
  it('never let both sides run the guest, and neither only while it is in doubt', () => {
    expectHolds('two gates', switchOverModel());
  });

  const both = /^both sides run the guest/;
  const torn = /^(both sides run|neither side has) the guest/;
  it.each([
    ['source: gate looked at and passed in two steps', both],
    ['source: hand-over said before the gate is passed', both],
    ['source: released before the gate is shut', both],
    ['source: released while the tracer may stop it still', /can never end/],
    ['destination: gate looked at and passed in two steps', torn],
    ['destination: refused before the gate is shut', torn],
    ['destination: run before the gate is passed', both],
    ['destination: answered before the gate is passed', /^neither side has the guest/],
    ['destination: answered once and never again', /can never end/],
    ['destination: placement gate shut after the gate is passed', /can never end/],
    ['destination: taken up again after it was declined', /^a guest that was declined runs/],
  ] as const)('are broken by: %s', (mutation, reason) => {
    expectBroken(switchOverModel(mutation), reason);
  });
});

describe('a vCPU that is told to run, on weakly ordered processors', () => {
  it.each([1, 2])('finds its registers and every mark, and receivers that know of it (%d vCPUs)', (vcpus) => {
    expectHolds(`${vcpus} vCPUs`, resumeModel(vcpus));
  });

  it.each([
    ['RUN before the registers', /old registers/],
    ['RUN before the marks', /a page that it lacks as present|thrown away/],
    ['RUN stored plainly', /old registers/],
    ['handed over before the marks', /thrown away/],
    ['handed over after RUN', /receivers overwrite/],
  ] as const)('does not with: %s', (mutation, reason) => {
    expectBroken(resumeModel(1, mutation), reason);
  });
});
