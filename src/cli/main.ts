#!/usr/bin/env node
// The entry: sets how the engine compiles, then loads the command line.
// Imports nothing else: what is loaded before the flags are set is compiled without them.
import { setFlagsFromString } from 'node:v8';

// A stun runs through code that has hardly ever run. Compiled on its first call, each function of it would take about
// 100 µs; all together more than the rest of the stun (docs/decisions/0014-engine-flags.md).
setFlagsFromString('--no-lazy');
setFlagsFromString('--no-flush-bytecode');

// From here on an output that is lost ends nothing.
await import('./output.js');
await import('./commands.js');
