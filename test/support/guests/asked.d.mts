// What asked.mjs tells its tests: how it may behave when it is asked, and where it notes what it is asked and told.
// Types only.
export const CONDUCT: {
  readonly [
    Conduct in
      'READY' | 'DELAYS_TWICE' | 'DELAYS' | 'VETOES_ONCE' | 'THROWS' | 'HANGS' | 'PROMISES' | 'POWERS_OFF'
  ]: number;
};
export const AT: {
  readonly [
    Register in 'CONDUCT' | 'ASKED' | 'WAITED_MS' | 'LEFT_MS' | 'TOLD' | 'MOVED' | 'STOOD_STILL_MS' | 'FIRST'
  ]: number;
};
