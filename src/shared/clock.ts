// One clock for all threads of a process: CLOCK_MONOTONIC in microseconds.
// A leaf; imports nothing of ours.

// performance.now() counts from each thread's own start; process.hrtime() does not. The tightest of a few pairs gives
// the difference between the two to well under a microsecond.
const originUs = calibrate();

/** Microseconds on the host's monotonic clock, the same in every thread of the host's processes. */
export function monotonicUs(): number {
  return originUs + performance.now() * 1000;
}

function calibrate(): number {
  let best = { spanUs: Infinity, originUs: 0 };
  for (let round = 0; round < 9; round++) {
    const before = performance.now() * 1000;
    const [seconds, nanoseconds] = process.hrtime();
    const after = performance.now() * 1000;
    const spanUs = after - before;
    if (spanUs < best.spanUs) {
      best = { spanUs, originUs: seconds * 1e6 + nanoseconds / 1e3 - (before + after) / 2 };
    }
  }
  return best.originUs;
}
