// Walks code before it counts, between whatever else a thread has to do: cold code would lengthen a stun by milliseconds.
// A leaf; knows nothing of what is walked.

/** Enough for the engine to compile all of it well. */
const TURNS = 160;
/** Of one go: about a millisecond. */
const TURNS_A_GO = 4;

/** Begins now, and goes on whenever the event loop has come round, until all is walked or it counts: then `isOver`. */
export async function rehearse(turn: () => void, isOver: () => boolean): Promise<void> {
  for (let turns = 0; turns < TURNS && !isOver(); turns++) {
    turn();
    if (turns % TURNS_A_GO === TURNS_A_GO - 1)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
  }
}
