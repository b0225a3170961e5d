// Watches the pages that a running guest lacks: where none comes for long, their connections are given up for new ones.
// Does not know why they stand still.
import type { Cancellable, Time } from '../shared/time.js';
import type { IncomingMachine } from './hands.js';
import { StallWatch } from './pages/stall-watch.js';
import type { Place } from './preparation.js';
import type { SourceConnection } from './source-connection.js';
import { STALL_MS_MAX } from '../shared/limits.js';

const LOOKS_A_STALL = 8;

/** A push on which nothing moves, while the source is there, has lost its connections even if they seem up. */
export function watchPush(
  { pages, receivers, fetcher }: Place<IncomingMachine>,
  time: Time,
  source: Pick<SourceConnection, 'isUp' | 'send'>,
  stalled: () => void,
): Cancellable {
  const stall = new StallWatch();
  return time.every(STALL_MS_MAX / LOOKS_A_STALL, () => {
    const { lackingPages } = pages;
    // Bytes of the push, and pages that faults brought: a region of the push may take minutes on a slow link.
    const progress = receivers.receivedBytes - lackingPages;
    const isExpecting = lackingPages > 0 && source.isUp;
    if (!stall.isStalled(time.nowUs() / 1000, progress, isExpecting)) return;
    stalled();
    receivers.renew();
    fetcher.renew();
    // A source that dials may not see that they are gone.
    const { ports } = receivers;
    const { port } = fetcher;
    if (port !== undefined) source.send({ name: 'LISTENING', pagePorts: [...ports], faultPort: port });
  });
}
