// The guest that is a key-value store: it speaks Redis' protocol (RESP2) to the clients of its service "redis".
// All that it knows lies in guest memory, so it moves as any guest does; docs/guests.md says what its clients see.
import { programBytesOf } from '../../devices/device-windows.js';
import type { GuestFactory, GuestSpec, Vcpu } from '../../guest-program.js';

import { bootKeyspace } from './keyspace.js';
import { Root } from './layout.js';
import { createServer, type Server } from './server.js';
import { SERVICE_NAME } from './service.js';
import { auditStore } from './store-audit.js';

/** The register with the slot that a vCPU looks at next. */
const NEXT_SLOT = 0;

function connectionsOf({ devices }: GuestSpec): number {
  return devices.find(({ name }) => name === SERVICE_NAME)?.connections ?? 0;
}

export const keyValue: GuestFactory = (spec) => {
  const connections = connectionsOf(spec);
  // Views of guest memory, made once a thread; no state.
  let server: Server | undefined;

  function runSlice(vcpu: Vcpu): void {
    const { memory, registers } = vcpu;
    server ??= createServer(vcpu, vcpu.devices.service(SERVICE_NAME), spec);
    // Another vCPU is at work: it is done within its slice.
    if (memory.atomicCompareExchange32(Root.LOCK, 0, 1) !== 0) return;
    const { isIdle, nextSlot } = server.serve(vcpu, registers[NEXT_SLOT]!);
    if (isIdle) vcpu.haltUntil(server.nextExpiryUs());
    memory.atomicStore32(Root.LOCK, 0);
    registers[NEXT_SLOT] = nextSlot;
  }

  return {
    boot({ memory, registers }) {
      bootKeyspace(memory, connections, programBytesOf(spec), spec.seed);
      memory.storeF64(Root.UNIX_BASE_MS, Date.now());
      registers.forEach((values, vcpu) => {
        values[NEXT_SLOT] = vcpu;
      });
    },
    runSlice,
    audit: ({ memory }) => auditStore(memory, connections, spec),
  };
};
