// The device thread's course: whoever is connected is let go as soon as the guest is known to run elsewhere.
import { describe, expect, it } from 'vitest';
import { DeviceHost, type BackEnd } from '../../src/shared/devices/device-host.js';
import { DeviceSafepoint } from '../../src/shared/memory/device-safepoint.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { allocateSafepointWords, Command } from '../../src/shared/memory/safepoint-words.js';

function hosted() {
  const words = allocateSafepointWords(1, 1);
  const control = new SafepointControl(words);
  const log: string[] = [];
  const backEnd: BackEnd = {
    serve: () => {
      log.push('served');
      return false;
    },
    send: () => undefined,
    close: () => Promise.resolve(),
  };
  const host = new DeviceHost(
    new DeviceSafepoint(words),
    [backEnd],
    () => log.push('come'),
    () => log.push('left'),
  );
  return { control, host, log };
}

describe('a guest that has left', () => {
  it('lets its devices go while they wait for work, though no message says so', async () => {
    const { control, host, log } = hosted();
    control.command(Command.RUN);
    const course = host.run();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['come', 'served']);
    control.command(Command.PARK);
    control.letDevicesGo();
    await course;
    expect(log.at(-1)).toBe('left');
    expect(log.filter((what) => what === 'left')).toHaveLength(1);
  });

  it('lets them go before they have served at all', async () => {
    const { control, host, log } = hosted();
    control.letDevicesGo();
    await host.run();
    expect(log).toEqual(['left']);
  });
});
