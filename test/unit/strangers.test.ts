// Who has to go when there are too many at a door, by where they come from and what they have said.
import { describe, expect, it } from 'vitest';
import { networkOf, Strangers, type Stranger } from '../../src/shared/wire/strangers.js';

const MAX = 8;

class Crowd {
  readonly strangers = new Strangers(MAX);
  readonly sentAway: string[] = [];

  comes(name: string, host: string, saidBytes = 0): Stranger & { saidBytes: number } {
    const stranger = { host, saidBytes, isOpen: true, sendAway: () => this.sentAway.push(name) };
    this.strangers.add(stranger);
    return stranger;
  }

  come(count: number, host: string, saidBytes = 0): void {
    for (let nth = 0; nth < count; nth++) this.comes(`${host} ${nth}`, host, saidBytes);
  }
}

describe('a crowd at a door', () => {
  it('is never larger than it may be', () => {
    const crowd = new Crowd();
    crowd.come(10 * MAX, '10.0.0.1');
    expect(crowd.strangers.count).toBe(MAX);
    expect(crowd.sentAway).toHaveLength(9 * MAX);
    expect(crowd.sentAway.slice(0, 2)).toEqual(['10.0.0.1 0', '10.0.0.1 1']);
  });

  it.each([0, 1, 2000])(
    'from one address, %i bytes said by each, pushes nobody from another out',
    (saidBytes) => {
      const crowd = new Crowd();
      crowd.comes('honest', '10.0.0.2');
      crowd.come(1000, '10.0.0.1', saidBytes);
      crowd.comes('late', '10.0.0.3');
      crowd.come(1000, '10.0.0.1', saidBytes);
      expect(crowd.sentAway).not.toContain('honest');
      expect(crowd.sentAway).not.toContain('late');
    },
  );

  it('of silent and slow ones from its own address does not push out who has said more', () => {
    const crowd = new Crowd();
    const honest = crowd.comes('honest', '10.0.0.1');
    honest.saidBytes = 300;
    crowd.come(1000, '10.0.0.1');
    crowd.come(1000, '10.0.0.1', 5);
    expect(crowd.sentAway).not.toContain('honest');
  });

  it('from many addresses of one IPv6 network is a crowd from one', () => {
    const crowd = new Crowd();
    crowd.comes('honest', '2001:db8:0:2::1');
    for (let nth = 0; nth < 1000; nth++) crowd.comes('flood', `2001:db8:0:1::${nth.toString(16)}`);
    expect(crowd.sentAway).not.toContain('honest');
    expect(crowd.strangers.count).toBe(MAX);
  });

  it('has room again when some of it has gone or was let in', () => {
    const crowd = new Crowd();
    const first = crowd.comes('first', '10.0.0.1');
    crowd.come(MAX - 1, '10.0.0.1');
    crowd.strangers.remove(first);
    crowd.strangers.remove(first);
    expect(crowd.strangers.count).toBe(MAX - 1);
    crowd.comes('next', '10.0.0.2');
    expect(crowd.sentAway).toEqual([]);
  });

  it('loses one where there is no room for as many as it is', () => {
    const crowd = new Crowd();
    crowd.comes('honest', '10.0.0.2', 100);
    crowd.come(3, '10.0.0.1');
    crowd.strangers.sendOneAway();
    expect(crowd.sentAway).toEqual(['10.0.0.1 0']);
    for (let nth = 0; nth < 10; nth++) crowd.strangers.sendOneAway();
    expect(crowd.strangers.count).toBe(0);
  });
});

describe('the network of an address', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['2001:db8::', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s is %s', (host, network) => {
    expect(networkOf(host)).toBe(network);
  });
});
