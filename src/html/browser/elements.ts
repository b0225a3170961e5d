// What a page has for its script: elements that are always there, and the JSON that says what to draw.
// Knows where the JSON is, not what is in it.
import { ISLAND_ID } from '../islands.js';

/** @throws Error naming the element: the page was not made for this script. */
export function elementOf(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

/** What the page says to its script; the page and its script are made together. */
export function readIsland(): unknown {
  return JSON.parse(elementOf(ISLAND_ID).textContent);
}
