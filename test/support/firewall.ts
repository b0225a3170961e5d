// A microstun process behind a firewall that lets nobody out, but to some ports: the preload no-dials.mjs stands in for one.
// Knows the environment of a process.
import { PeerProcess } from './peer-process.js';

export function behindFirewall(
  name: string,
  args: readonly string[],
  ports: readonly number[] = [],
): PeerProcess {
  const preload = new URL('./no-dials.mjs', import.meta.url).href;
  return new PeerProcess(name, args, {
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${preload}`.trim(),
    DIALS_ALLOWED: ports.join(','),
  });
}
