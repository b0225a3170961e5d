// The store's conversations, cut into slices: what a client is told, and that the whole store is sound afterwards.
import { describe, expect, it } from 'vitest';
import { requestOf, Store } from '../support/store.js';

const sound = { passed: true, failed: 0, findings: [] };

describe('a key-value store', () => {
  it('answers what Redis does', () => {
    const store = new Store();
    expect(store.ask('PING\r\n')).toBe('+PONG\r\n');
    expect(store.command('SET', 'key', 'value')).toBe('+OK\r\n');
    expect(store.command('GET', 'key')).toBe('$5\r\nvalue\r\n');
    expect(store.command('LPUSH', 'list', 'a', 'b')).toBe(':2\r\n');
    expect(store.command('LRANGE', 'list', 0, -1)).toBe('*2\r\n$1\r\nb\r\n$1\r\na\r\n');
    expect(store.command('ZADD', 'z', 1.5, 'm', 1, 'n')).toBe(':2\r\n');
    expect(store.command('ZPOPMIN', 'z')).toBe('*2\r\n$1\r\nn\r\n$1\r\n1\r\n');
    expect(store.command('GET', 'list')).toBe(
      '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n',
    );
    expect(store.command('NOSUCH', 'x')).toBe(
      "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n",
    );
    expect(store.audit()).toMatchObject(sound);
  });

  it('answers the same when its program is made anew between any two slices', () => {
    const args = ['RPUSH', 'list', ...Array.from({ length: 3000 }, (_, at) => `element ${at}`)];
    const request = requestOf(args) + requestOf(['LRANGE', 'list', 0, -1]) + requestOf(['DEL', 'list']);
    const expected = new Store({ ringBytes: 1 << 20 }).ask(request);
    const store = new Store({ ringBytes: 1 << 20 });
    store.streams.send(0, request);
    const replies: Buffer[] = [];
    while (!store.slice()) {
      store.move();
      expect(store.audit()).toMatchObject(sound);
      replies.push(store.streams.receive(0));
    }
    expect(Buffer.concat(replies).toString('latin1')).toBe(expected);
    expect(store.audit()).toMatchObject(sound);
  });

  it('keeps replies for which there is no room, and executes nothing more of that client meanwhile', () => {
    const store = new Store();
    store.streams.room = 64;
    store.command('SET', 'key', 'v'.repeat(5000));
    store.streams.send(0, requestOf(['GET', 'key']));
    for (let slice = 0; slice < 3; slice++) store.slice();
    store.streams.send(0, requestOf(['SET', 'key', 'other']));
    for (let slice = 0; slice < 10; slice++) store.slice();
    expect(store.ask(requestOf(['STRLEN', 'key']), 1)).toBe(':5000\r\n');
    expect(store.audit()).toMatchObject(sound);
    store.move();
    expect(store.ask('')).toBe(`$5000\r\n${'v'.repeat(5000)}\r\n+OK\r\n`);
    expect(store.ask(requestOf(['STRLEN', 'key']), 1)).toBe(':5\r\n');
    expect(store.audit()).toMatchObject(sound);
  });

  it('lets nobody else in while a command takes several slices', () => {
    const store = new Store({ ringBytes: 1 << 20 });
    const pairs = Array.from({ length: 2000 }, (_, at) => [`key ${at}`, 'new']).flat();
    store.ask(requestOf(['MSET', ...pairs.map((word) => (word === 'new' ? 'old' : word))]));
    store.streams.send(0, requestOf(['MSET', ...pairs]));
    store.slice();
    expect(store.ask(requestOf(['MGET', 'key 0', 'key 1999']), 1)).toBe('*2\r\n$3\r\nnew\r\n$3\r\nnew\r\n');
  });

  it('is one store to several vCPUs, whose slots differ and whose long commands any of them continues', () => {
    const store = new Store({ ringBytes: 1 << 20, vcpus: 3, connections: 7 });
    const members = Array.from({ length: 1000 }, (_, at) => `member ${at}`);
    for (let slot = 0; slot < 7; slot++)
      store.streams.send(
        slot,
        requestOf(['SADD', 'set', `of ${slot}`, ...members]) + 'FLUSHALL\r\n'.repeat(slot % 2),
      );
    store.settle();
    for (let slot = 0; slot < 7; slot++)
      expect(store.streams.receive(slot).toString()).toMatch(/^:(?:1|1001)\r\n(?:\+OK\r\n)?$/);
    expect(store.ask('DBSIZE\r\n', 5)).toMatch(/^:[01]\r\n$/);
    expect(store.audit()).toMatchObject(sound);
  });

  it('refuses a command that is larger than its ring, and closes', () => {
    const store = new Store({ ringBytes: 4096 });
    expect(store.ask(`*2\r\n$3\r\nGET\r\n$5000\r\n`)).toMatch(
      /^-ERR Protocol error: a command of this guest has 4096 bytes at most/,
    );
    expect(store.streams.state(0)).toBe('free');
    expect(store.ask('PING\r\n')).toBe('+PONG\r\n');
  });

  it('closes once QUIT is answered, and what came after it is not executed', () => {
    const store = new Store();
    expect(store.ask('QUIT\r\nSET a b\r\n')).toBe('+OK\r\n');
    expect(store.streams.state(0)).toBe('free');
    expect(store.ask('EXISTS a\r\n')).toBe(':0\r\n');
  });

  it('answers a client that says no more, and then closes', () => {
    const store = new Store();
    store.streams.send(0, 'PING\r\nPIN');
    store.streams.end(0, 'ended');
    store.settle();
    expect(store.streams.receive(0).toString()).toBe('+PONG\r\n');
    expect(store.streams.state(0)).toBe('free');
  });

  it('removes a key when its time has come, whether anyone asks for it or not', () => {
    const store = new Store();
    store.command('SET', 'soon', 'x', 'PX', 100);
    store.command('SET', 'later', 'x', 'EX', 100);
    expect(store.command('PTTL', 'soon')).toBe(':100\r\n');
    store.nowUs = 99_000;
    expect(store.command('EXISTS', 'soon')).toBe(':1\r\n');
    store.nowUs = 100_000;
    store.slice();
    expect(store.command('DBSIZE')).toBe(':1\r\n');
    expect(store.command('TTL', 'later')).toBe(':100\r\n');
    expect(store.command('EXPIRETIME', 'later')).toBe(':1700000100\r\n');
    expect(store.audit()).toMatchObject(sound);
  });

  it('gives all memory back when all keys go', () => {
    const store = new Store({ memoryBytes: 32 << 20 });
    const used = (): number => Number(/used_memory:(\d+)/.exec(store.command('INFO'))![1]);
    const fresh = used();
    for (let at = 0; at < 3000; at++) {
      store.command('SET', `string ${at}`, 'v', 'EX', 1000);
      store.command('SADD', `set ${at % 100}`, at);
      store.command('HSET', 'hash', `field ${at}`, at);
      store.command('ZADD', 'sorted', at, `member ${at}`);
      store.command('RPUSH', 'list', at);
    }
    expect(store.audit()).toMatchObject(sound);
    expect(store.command('FLUSHALL')).toBe('+OK\r\n');
    expect(store.command('DBSIZE')).toBe(':0\r\n');
    expect(store.audit()).toMatchObject(sound);
    expect(used()).toBe(fresh);
  });

  it('refuses what needs memory when there is none, and goes on', () => {
    const store = new Store({ memoryBytes: 2 << 20 });
    let refused = '';
    for (let at = 0; refused === ''; at++) {
      const reply = store.command('SET', `key ${at}`, 'x'.repeat(1000));
      if (reply !== '+OK\r\n') refused = reply;
    }
    expect(refused).toBe("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    expect(store.audit()).toMatchObject(sound);
    expect(store.command('FLUSHALL')).toBe('+OK\r\n');
    expect(store.command('SET', 'key', 'x')).toBe('+OK\r\n');
    expect(store.audit()).toMatchObject(sound);
  });

  it('says in its audit what was lost', () => {
    const store = new Store();
    for (let at = 0; at < 50; at++) store.command('SET', `key ${at}`, 'v', 'EX', 1000);
    const page = new Uint8Array(4096);
    store.memory.read(8192, page);
    store.memory.fill(8192, 4096, 0);
    expect(store.audit().passed).toBe(false);
    store.memory.write(8192, page);
    expect(store.audit()).toMatchObject(sound);
  });
});
