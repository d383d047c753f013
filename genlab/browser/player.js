// Plays something on: a button that says play or pause, a clock that a hidden tab cannot run away with, and rest for those who want
// no motion.

const PLAY = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="m4 2 10 6-10 6z"/></svg> play';
const PAUSE = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M4 3h3v10H4zM9 3h3v10H9z"/></svg> pause';

// `advance(seconds)` goes on by so much, and may stop the play; `begin()` is called before it starts.
function createPlayer(button, { begin, advance }) {
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  let playing = false;
  let frame = 0;
  let clock = 0;

  function play(wanted) {
    playing = wanted;
    button.innerHTML = playing ? PAUSE : PLAY;
    cancelAnimationFrame(frame);
    if (!playing) return;
    begin();
    clock = performance.now();
    frame = requestAnimationFrame(tick);
  }

  function tick(now) {
    // A hidden tab gets no frames; a long gap must not be jumped over when it comes back. The first frame may have begun before the clock.
    const seconds = Math.max(0, Math.min((now - clock) / 1000, 0.1));
    clock = now;
    advance(seconds);
    if (playing) frame = requestAnimationFrame(tick);
  }

  const calm = () => stillness.matches && play(false);
  button.onclick = () => play(!playing);
  stillness.addEventListener("change", calm);

  function close() {
    cancelAnimationFrame(frame);
    stillness.removeEventListener("change", calm);
  }

  return { play, close, isPlaying: () => playing, wantsRest: () => stillness.matches };
}
