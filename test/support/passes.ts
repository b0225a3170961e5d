// A migration's pass for tests: an id, a ticket that everybody may know, and no encryption.
import type { Pass } from '../../src/shared/wire/pass.js';
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';

/** The ticket of migrations in tests. */
export const TICKET = 'ab'.repeat(32);

export const PASS: Pass = {
  migrationId: '00000000-0000-4000-8000-000000000001',
  ticket: TICKET,
  security: THIS_HOST_ONLY,
};
