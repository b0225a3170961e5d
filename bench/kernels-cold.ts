// A process that does each work once, in the form that its argument names, and prints how long each took.
// Knows nothing of warm code: that is why it is a process.
import { kernelContests, timeUs } from './kernels-contests.js';

const form = process.argv[2] === 'kernel' ? 'kernel' : 'typescript';
const times = kernelContests.map((contest) => {
  contest.prepare();
  return timeUs(contest[form]);
});
process.stdout.write(JSON.stringify(times));
