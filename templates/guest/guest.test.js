// Moves the guest between two processes while it counts, and has it audited on both sides.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startGuest, startNode } from 'microstun';

const path = fileURLToPath(new URL('guest.js', import.meta.url));

test('the guest counts, and moves to another process without losing a page', async () => {
  const node = await startNode({ allowGuest: [path] });
  const guest = await startGuest({ guest: path });
  try {
    assert.deepEqual((await guest.audit()).findings, []);
    const report = await guest.migrate({ to: node.address }).report;
    assert.equal(report.audit?.passed, true);
    assert.equal((await guest.ended).why, 'left');
  } finally {
    await Promise.all([guest.close(), node.close()]);
  }
});

test('the guest comes to the node as what it is, and runs on there', async () => {
  const node = await startNode({ allowGuest: [path] });
  const guest = await startGuest({ guest: path });
  try {
    await guest.migrate({ to: node.address, mode: 'pre-copy' }).report;
    for await (const event of node) {
      assert.equal(event.kind, 'arrived');
      assert.equal(event.guest.program, 'my-guest');
      break;
    }
  } finally {
    await Promise.all([guest.close(), node.close()]);
  }
});
