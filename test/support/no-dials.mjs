// A preload for processes under test: a firewall that lets nobody dial, in any thread, but to the ports in DIALS_ALLOWED.
// Knows Node's sockets only.
import { Socket } from 'node:net';

const allowed = new Set((process.env.DIALS_ALLOWED ?? '').split(',').filter(Boolean).map(Number));
const { connect } = Socket.prototype;

Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  if (options.port === undefined || allowed.has(Number(options.port))) return connect.apply(this, args);
  const blocked = Object.assign(new Error('the firewall lets nobody out'), { code: 'EHOSTUNREACH' });
  process.nextTick(() => this.destroy(blocked));
  return this;
};
