// Commands about the connection and the store as a whole: what clients ask before they begin, and INFO.
// Knows the connection as a session; what it cannot do it refuses in words that let clients go on without.
import type { Command, Kit } from './kit.js';
import { Root } from './layout.js';

/** The version whose replies these are. */
const REDIS_VERSION = '7.2.0';

/** The connection whose command is executed. */
export interface Session {
  client: number;
  /** Set by QUIT: the connection ends after the reply. */
  isLeaving: boolean;
  /** How many connections there are. */
  readonly countClients: () => number;
}

export function createServerCommands(
  kit: Kit,
  session: Session,
  commands: ReadonlyMap<string, Command>,
): Record<string, Command> {
  const { keys, memory, reply, request } = kit;

  function bulkArgument(argument: number): void {
    reply.bulk(request.bytes, request.starts[argument]!, request.lengths[argument]!);
  }

  function info(): true {
    const map = keys.map();
    const { heap } = keys;
    reply.bulkText(
      [
        '# Server',
        `redis_version:${REDIS_VERSION}`,
        'redis_mode:standalone',
        'server_name:microstun',
        '# Clients',
        `connected_clients:${session.countClients()}`,
        '# Memory',
        `used_memory:${heap.usedBytes}`,
        `maxmemory:${heap.byteCount}`,
        '# Persistence',
        'loading:0',
        '# Stats',
        `total_connections_received:${memory.loadF64(Root.CONNECTIONS)}`,
        `total_commands_processed:${memory.loadF64(Root.COMMANDS)}`,
        `expired_keys:${memory.loadF64(Root.EXPIRED)}`,
        '# Replication',
        'role:master',
        '# Keyspace',
        ...(map.count === 0
          ? []
          : [`db0:keys=${map.count},expires=${keys.index.count(Root.EXPIRIES)},avg_ttl=0`]),
        '',
      ].join('\r\n'),
    );
    return true;
  }

  function hello(): true {
    if (request.count > 1 && !(kit.integer(1) === 2))
      return kit.fail(
        Number.isNaN(kit.integer(1))
          ? 'ERR Protocol version is not an integer or out of range'
          : 'NOPROTO unsupported protocol version',
      );
    if (request.count > 2) return kit.fail('ERR syntax error in HELLO: this guest knows no options of it');
    const facts = [
      ['server', 'redis'],
      ['version', REDIS_VERSION],
      ['proto', 2],
      ['id', session.client],
      ['mode', 'standalone'],
      ['role', 'master'],
    ] as const;
    reply.array(2 * facts.length + 2);
    for (const [name, value] of facts) {
      reply.bulkText(name);
      if (typeof value === 'number') reply.integer(value);
      else reply.bulkText(value);
    }
    reply.bulkText('modules');
    reply.array(0);
    return true;
  }

  function tellCommands(): true {
    if (request.count > 1 && kit.is(1, 'COUNT')) reply.integer(commands.size);
    else if (request.count > 1) reply.array(0);
    else {
      reply.array(commands.size);
      for (const [name, { arity }] of commands) {
        reply.array(6);
        reply.bulkText(name);
        reply.integer(arity);
        reply.array(0);
        for (let word = 0; word < 3; word++) reply.integer(0);
      }
    }
    return true;
  }

  function client(): true {
    if (kit.is(1, 'ID')) reply.integer(session.client);
    else if (kit.is(1, 'SETNAME') || kit.is(1, 'SETINFO')) reply.ok();
    else if (kit.is(1, 'GETNAME')) reply.nullBulk();
    else return kit.fail(`ERR unknown subcommand '${kit.text(1)}'. Try CLIENT HELP.`);
    return true;
  }

  // What `redis-benchmark` asks for, so that it can print it: nothing of it is kept on a disk.
  const settings: Readonly<Record<string, string>> = { save: '', appendonly: 'no', databases: '1' };
  function config(): true {
    if (!kit.is(1, 'GET')) return kit.fail(`ERR unknown subcommand '${kit.text(1)}'. Try CONFIG HELP.`);
    const name = request.count > 2 ? kit.text(2).toLowerCase() : '';
    const isKnown = Object.hasOwn(settings, name);
    reply.array(isKnown ? 2 : 0);
    if (isKnown) {
      reply.bulkText(name);
      reply.bulkText(settings[name]!);
    }
    return true;
  }

  function select(): true {
    const database = kit.integer(1);
    if (Number.isNaN(database)) return kit.fail('ERR value is not an integer or out of range');
    if (database !== 0) return kit.fail('ERR DB index is out of range');
    reply.ok();
    return true;
  }

  return {
    ping: {
      arity: -1,
      run: () => {
        if (request.count > 2) return kit.failArity('ping');
        if (request.count === 1) reply.simple('PONG');
        else bulkArgument(1);
        return true;
      },
    },
    echo: {
      arity: 2,
      run: () => {
        bulkArgument(1);
        return true;
      },
    },
    quit: {
      arity: -1,
      run: () => {
        session.isLeaving = true;
        reply.ok();
        return true;
      },
    },
    select: { arity: 2, run: select },
    auth: {
      arity: -2,
      run: () =>
        kit.fail(
          'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
        ),
    },
    hello: { arity: -1, run: hello },
    info: { arity: -1, run: info },
    command: { arity: -1, run: tellCommands },
    client: { arity: -2, run: client },
    config: { arity: -2, run: config },
    time: {
      arity: 1,
      run: () => {
        reply.array(2);
        reply.bulkText(String(Math.floor(keys.nowMs / 1000)));
        reply.bulkText(String(Math.floor(keys.nowMs % 1000) * 1000));
        return true;
      },
    },
  };
}
