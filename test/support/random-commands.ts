// Commands by chance, as Redis' own fuzzers make them: few keys, all kinds, and arguments that are often wrong.
// What a seed makes is always the same.
import { seedRandom, nextRandom } from '../../src/shared/guest/programs/random.js';

export class CommandMaker {
  #random: number;

  constructor(seed: number) {
    this.#random = seedRandom(seed, 0);
  }

  below(count: number): number {
    this.#random = nextRandom(this.#random);
    return this.#random % count;
  }

  pick<T>(...choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Mostly a key of the kind that the command is about. */
  key(kind: string): string {
    return `${this.below(12) === 0 ? this.pick('s', 'l', 'h', 'z', 'e') : kind}${this.below(4)}`;
  }

  integer(): string {
    return this.pick(
      () => String(this.below(20) - 5),
      () => String(this.below(100_000)),
      () =>
        this.pick(
          '9223372036854775807',
          '-9223372036854775808',
          '9223372036854775808',
          '1e3',
          '',
          '01',
          '-0',
          ' 1',
        ),
      () => String(this.below(10)),
    )();
  }

  index(): string {
    return this.below(30) === 0 ? this.integer() : String(this.below(16) - 8);
  }

  value(): string {
    return this.pick(
      () => this.integer(),
      () => 'x'.repeat(this.below(300)),
      () => `value ${this.below(50)}`,
      () => `\r\n\0\xff${this.below(10)}`,
      () => this.float(),
    )();
  }

  float(): string {
    return this.pick('0.1', '0.2', '-1.5', '3.0e3', '1e-3', '12.345', 'x', '5', '-0.3', '10.50', '1.1.1');
  }

  /** One that Redis' numbers hold exactly: where they do not, it answers with their error, and the store does not. */
  exact(): string {
    return this.pick('0.25', '-1.5', '3.0e3', '5', '-0.125', '10.50', 'x', '');
  }

  score(): string {
    return this.below(10) === 0
      ? this.pick('inf', '-inf', '+inf', 'nan', 'x', '1e400', '')
      : String((this.below(40) - 20) / 4);
  }

  member(): string {
    return `m${this.below(12)}`;
  }

  many(make: () => string, max = 4): string[] {
    return Array.from({ length: 1 + this.below(max) }, make);
  }

  command(): string[] {
    return this.pick(
      () => this.#string(),
      () => this.#number(),
      () => this.#list(),
      () => this.#hash(),
      () => this.#set(),
      () => this.#sorted(),
      () => this.#sortedRange(),
      () => this.#keys(),
      () => this.#wrong(),
    )();
  }

  #string(): string[] {
    const key = this.key('s');
    return this.pick(
      () => ['SET', key, this.value()],
      () => ['SET', key, this.value(), ...this.#setOptions()],
      () => ['GET', key],
      () => ['GETSET', key, this.value()],
      () => ['GETDEL', key],
      () => ['SETNX', key, this.value()],
      () => ['APPEND', key, this.value()],
      () => ['STRLEN', key],
      () => ['MGET', ...this.many(() => this.key('s'))],
      () => ['MSET', ...this.many(() => this.key('s')).flatMap((name) => [name, this.value()])],
    )();
  }

  #setOptions(): string[] {
    return this.many(
      () => this.pick('NX', 'XX', 'get', 'KEEPTTL', 'EX 100', 'px 100000', 'EX 0', 'PX', 'EX x'),
      2,
    ).flatMap((option) => option.split(' '));
  }

  #number(): string[] {
    const key = this.pick(`n${this.below(3)}`, this.key('s'));
    return this.pick(
      () => ['INCR', key],
      () => ['DECR', key],
      () => ['INCRBY', key, this.integer()],
      () => ['DECRBY', key, this.integer()],
      () => ['INCRBYFLOAT', `f${this.below(3)}`, this.exact()],
      () => ['SET', `f${this.below(3)}`, this.exact()],
      () => ['SET', key, this.pick(this.integer(), this.float())],
    )();
  }

  #list(): string[] {
    const key = this.key('l');
    return this.pick(
      () => [this.pick('LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX'), key, ...this.many(() => this.value())],
      () => [this.pick('LPOP', 'RPOP'), key],
      () => [this.pick('LPOP', 'RPOP'), key, this.integer()],
      () => ['LINDEX', key, this.index()],
      () => ['LRANGE', key, this.index(), this.index()],
      () => ['LLEN', key],
    )();
  }

  #hash(): string[] {
    const key = this.key('h');
    return this.pick(
      () => [
        this.pick('HSET', 'HMSET'),
        key,
        ...this.many(() => this.member()).flatMap((field) => [field, this.value()]),
      ],
      () => ['HSET', key, this.member(), this.integer()],
      () => ['HGET', key, this.member()],
      () => ['HMGET', key, ...this.many(() => this.member())],
      () => ['HDEL', key, ...this.many(() => this.member())],
      () => [this.pick('HGETALL', 'HKEYS', 'HVALS', 'HLEN'), key],
      () => ['HEXISTS', key, this.member()],
      () => ['HSETNX', key, this.member(), this.value()],
      () => ['HINCRBY', key, this.member(), this.integer()],
    )();
  }

  #set(): string[] {
    const key = this.key('e');
    return this.pick(
      () => ['SADD', key, ...this.many(() => this.member())],
      () => ['SREM', key, ...this.many(() => this.member())],
      () => ['SPOP', key, '1000'],
      () => ['SPOP', key, this.pick('-1', 'x')],
      () => [this.pick('SCARD', 'SMEMBERS'), key],
      () => ['SISMEMBER', key, this.member()],
    )();
  }

  #sorted(): string[] {
    const key = this.key('z');
    const pairs = (): string[] => this.many(() => this.score()).flatMap((score) => [score, this.member()]);
    return this.pick(
      () => ['ZADD', key, ...pairs()],
      () => ['ZADD', key, ...this.many(() => this.pick('NX', 'XX', 'GT', 'LT', 'CH', 'INCR'), 2), ...pairs()],
      () => ['ZADD', key, 'INCR', this.score(), this.member()],
      () => ['ZINCRBY', key, this.score(), this.member()],
      () => ['ZREM', key, ...this.many(() => this.member())],
      () => [this.pick('ZSCORE', 'ZRANK'), key, this.member()],
      () => ['ZCARD', key],
      () => [this.pick('ZPOPMIN', 'ZPOPMAX'), key, ...this.pick([], [String(this.below(4))])],
    )();
  }

  #sortedRange(): string[] {
    const key = this.key('z');
    const options = this.pick([], ['WITHSCORES'], ['REV'], ['REV', 'WITHSCORES']);
    const bound = (): string => this.pick('', '(') + this.score();
    const limit = this.pick([], ['LIMIT', String(this.below(4)), String(this.below(5) - 1)]);
    return this.pick(
      () => ['ZRANGE', key, this.index(), this.index(), ...options],
      () => ['ZRANGE', key, bound(), bound(), 'BYSCORE', ...options, ...limit],
    )();
  }

  #keys(): string[] {
    const any = (): string => this.key(this.pick('s', 'l', 'h', 'z', 'e'));
    return this.pick(
      () => [this.pick('DEL', 'UNLINK', 'EXISTS'), ...this.many(any)],
      () => ['TYPE', any()],
      () => [
        this.pick('EXPIRE', 'PEXPIRE'),
        any(),
        this.pick('1000', '1000000', '-1', '0', 'x', '9223372036854775807'),
      ],
      () => [
        'EXPIREAT',
        any(),
        this.pick('4000000000', '4100000000'),
        ...this.many(() => this.pick('NX', 'XX', 'GT', 'LT', 'YY'), 2),
      ],
      () => [this.pick('EXPIREAT', 'PEXPIREAT'), any(), this.pick('1', '4000000000000')],
      () => [this.pick('EXPIRETIME', 'TTL', 'PERSIST'), any()],
      () => ['KEYS', this.pick('*', 's?', '[lh]*', '[^s]1', 's[0-2]', '\\s1', '*1*', '')],
      () => [this.pick('RENAME', 'RENAMENX'), any(), any()],
      () => ['DBSIZE'],
      () => (this.below(40) === 0 ? ['FLUSHALL'] : ['RENAME', any(), any()]),
    )();
  }

  #wrong(): string[] {
    const [name, ...args] = this.pick(
      () => this.#string(),
      () => this.#list(),
      () => this.#hash(),
      () => this.#sorted(),
    )();
    return this.pick(
      () => [name!],
      () => [name!.toLowerCase(), ...args.slice(0, -1)],
      () => ['NOSUCHCOMMAND', ...args],
      () => ['SELECT', this.pick('0', 'x', '-1')],
      () => ['ECHO', this.value()],
      () => ['PING', ...this.many(() => this.value(), 2)],
    )();
  }
}
