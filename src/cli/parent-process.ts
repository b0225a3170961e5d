// The process that started this one with an IPC channel, if one did: whoever imports microstun, or the demo.
// Knows the channel; what is said over it is its users'.

/** Tells the parent; nobody hears it when there is none, or when it is gone. */
export function tellParent(message: object): void {
  if (!process.connected) return;
  // It may go between the two lines: its end is heard by 'disconnect', and is no failure of ours.
  process.send?.(message, undefined, undefined, () => undefined);
}

/** No more is said, and nothing of the channel keeps this process. */
export function leaveParent(): void {
  if (process.connected) process.disconnect();
}

/** Calls `onGone` when the parent is gone, also when it went before anybody asked; never where there was none. */
export function onParentGone(onGone: () => void): void {
  process.on('disconnect', onGone);
  if (process.send !== undefined && !process.connected) queueMicrotask(onGone);
}
