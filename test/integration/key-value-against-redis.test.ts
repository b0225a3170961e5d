// The store against a redis-server: the same commands by chance, the same replies. Skipped where there is no redis-server.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandMaker } from '../support/random-commands.js';
import { hasRedisServer, startRedis, type RedisServer } from '../support/redis-server.js';
import { ReplyReader, type Reply } from '../support/resp-replies.js';
import { requestOf, Store } from '../support/store.js';

const SEEDS = Number(process.env['STORE_SEEDS'] ?? 4);
const ROUNDS = 40;
const COMMANDS_A_ROUND = 50;

/** Commands whose replies have no order. */
const UNORDERED = new Set(['SMEMBERS', 'KEYS', 'HKEYS', 'HVALS', 'SPOP']);
const WITH_SCORES = /^Z(?:ADD|SCORE|RANGE|POPMIN|POPMAX|INCRBY)$/;

/** What of a reply must be the same: an order that is nobody's is sorted, and a score is a number however it is written. */
function comparable([name]: readonly string[], reply: Reply): unknown {
  const command = name!.toUpperCase();
  if (Array.isArray(reply) && UNORDERED.has(command)) return reply.map((one) => JSON.stringify(one)).sort();
  if (Array.isArray(reply) && command === 'HGETALL') {
    const pairs = reply.filter((_, at) => at % 2 === 0).map((key, at) => [key, reply[2 * at + 1]]);
    return pairs.map((pair) => JSON.stringify(pair)).sort();
  }
  if (WITH_SCORES.test(command)) return withNumbers(reply);
  if (typeof reply === 'string' && reply.startsWith('-')) return errorOf(reply);
  // Both clocks go on while they are compared.
  if (typeof reply === 'number' && /TTL|EXPIRETIME/.test(command)) return reply > 100 ? 'later' : reply;
  return typeof reply === 'bigint' ? String(reply) : reply;
}

function withNumbers(reply: Reply): unknown {
  if (Array.isArray(reply)) return reply.map(withNumbers);
  if (typeof reply === 'object' && reply !== null && /^-?\d/.test(reply.bulk)) return Number(reply.bulk);
  return typeof reply === 'string' ? errorOf(reply) : reply;
}

/** Versions differ in what they say about a command that they do not know. */
function errorOf(reply: string): string {
  return reply.startsWith('-ERR unknown command') ? reply.toLowerCase() : reply;
}

describe.skipIf(!hasRedisServer)('the key-value store beside redis-server', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.close());

  it.each(Array.from({ length: SEEDS }, (_, at) => at + 1))(
    'gives the same replies, seed %i',
    async (seed) => {
      await redis.ask('FLUSHALL\r\n', 1);
      const store = new Store({ unixMs: Date.now() });
      const maker = new CommandMaker(seed);
      for (let round = 0; round < ROUNDS; round++) {
        const commands = Array.from({ length: COMMANDS_A_ROUND }, () => maker.command());
        const requests = commands.map(requestOf).join('');
        const theirs = await redis.ask(requests, commands.length);
        const ours = new ReplyReader().feed(Buffer.from(store.ask(requests), 'latin1'));
        commands.forEach((command, at) => {
          const where = `seed ${seed}, round ${round}, ${JSON.stringify(command)}`;
          expect(comparable(command, ours[at]!), where).toEqual(comparable(command, theirs[at]!));
        });
        if (round % 3 === 0) store.move();
      }
      expect(store.audit()).toMatchObject({ passed: true, findings: [] });
    },
  );
});
