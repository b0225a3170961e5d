// The parts of the stun in words, in the order in which they pass.
// One list, for the report in a terminal, the pages and comparisons.
import type { StunParts } from './document.js';

export const stunPartNames: Readonly<Record<keyof StunParts, string>> = {
  parkMs: 'park the vCPUs',
  harvestMs: 'last harvest',
  compactionMs: 'encode the bitmap',
  sendMs: 'checkpoint and send',
  networkMs: 'network',
  validationMs: 'validate',
  placementMs: 'place pages',
  resumeMs: 'resume',
};

export const stunPartKeys = Object.keys(stunPartNames) as readonly (keyof StunParts)[];
