// When a page connection counts as dead: by what the peer's host acknowledges, and not by what our kernel takes.
import { describe, expect, it } from 'vitest';
import { ConnectionWatch } from '../../src/shared/wire/connection-watch.js';
import { unacknowledgedIn } from '../../src/shared/wire/unacknowledged-bytes.js';
import { STILL_MS_MAX, UNSEEN_STILL_MS_MAX } from '../../src/shared/limits.js';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1684 1 00000000e38dd0c2 100 0 0 10 0
   1: 0100007F:1F90 0100007F:84A9 01 0003F000:00000000 01:00000018 00000000     0        0 7 3 0000000006e99f82
  12: 0100007F:84A9 0100007F:1F90 01 00000000:00000100 00:00000000 00000000     0        0 8 1 0000000006e99f83
`;

describe('a connection', () => {
  it('is not still while the kernel takes nothing and the peer acknowledges what it holds', () => {
    const watch = new ConnectionWatch();
    for (let second = 0; second < 40; second++)
      expect(watch.isStill(second * 1000, { taken: 5 << 20, unacknowledged: (4 << 20) - second })).toBe(
        false,
      );
  });

  it('is still when nothing is acknowledged for long', () => {
    const watch = new ConnectionWatch();
    const counts = { taken: 5 << 20, unacknowledged: 4 << 20 };
    expect(watch.isStill(0, counts)).toBe(false);
    expect(watch.isStill(STILL_MS_MAX, counts)).toBe(false);
    expect(watch.isStill(STILL_MS_MAX + 1, counts)).toBe(true);
    watch.begin();
    expect(watch.isStill(STILL_MS_MAX + 1000, counts)).toBe(false);
    expect(watch.isStill(STILL_MS_MAX + 2000, undefined)).toBe(false);
  });

  it('is waited for longer where the kernel does not say what was acknowledged', () => {
    const watch = new ConnectionWatch();
    const counts = { taken: 5 << 20, unacknowledged: undefined };
    watch.isStill(0, counts);
    expect(watch.isStill(UNSEEN_STILL_MS_MAX, counts)).toBe(false);
    expect(watch.isStill(UNSEEN_STILL_MS_MAX + 1, counts)).toBe(true);
  });

  it('is found by its ports in the table of connections', () => {
    expect(unacknowledgedIn(TABLE, 0x1f90, 0x84a9)).toBe(0x3f000);
    expect(unacknowledgedIn(TABLE, 0x84a9, 0x1f90)).toBe(0);
    expect(unacknowledgedIn(TABLE, 0x84a9, 0x1f91)).toBeUndefined();
    expect(unacknowledgedIn('', 1, 2)).toBeUndefined();
  });
});
