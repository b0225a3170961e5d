// What a store needs of the streams of its clients; a service's (guest/devices/streams.ts) are such, a test's are others.
// Types and nothing else.
import type { ServiceStreams } from '../../devices/streams.js';

export type Streams = Pick<
  ServiceStreams,
  'connections' | 'ringBytes' | 'state' | 'readable' | 'peek' | 'consume' | 'write' | 'close'
>;
