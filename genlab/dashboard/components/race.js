// The race: rows appear when the clock says they were finished. Nothing is sped up or slowed down.

export default mounts(createRace);

function createRace(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  let shown = null;
  let lanes = [];
  let begun = 0;
  let frame = 0;

  function show(data) {
    const isNew = shown?.id !== data.id;
    if (isNew) {
      const [channels, height, width] = data.shape;
      shown = { ...data, channels, height, width, values: new Uint8Array(bytes(data.values)) };
      lanes = shown.runners.map(createLane);
      part("lanes").replaceChildren(...lanes.map((lane) => lane.item));
      part("sentence").textContent = data.sentence;
    }
    if (isNew && !stillness.matches) start();
    else paint(isNew ? Infinity : seconds());
  }

  function start() {
    cancelAnimationFrame(frame);
    begun = performance.now();
    frame = requestAnimationFrame(tick);
  }

  function seconds() {
    return (performance.now() - begun) / 1000;
  }

  function tick() {
    const now = seconds();
    paint(now);
    if (shown.runners.some((runner) => runner.stamps.at(-1)[0] > now)) frame = requestAnimationFrame(tick);
  }

  function createLane(runner) {
    const item = document.createElement("li");
    item.className = "lane";
    item.innerHTML = '<p></p><div class="clock"></div><div class="strip"><canvas role="img"></canvas></div>';
    item.querySelector("p").textContent = runner.words;
    return { item, runner, clock: item.querySelector(".clock"), canvas: item.querySelector("canvas") };
  }

  function paint(now) {
    if (!shown) return;
    for (const lane of lanes) {
      const { stamps, finished } = lane.runner;
      const [end, furthest] = stamps.at(-1);
      const share = stamps.findLast(([time]) => time <= now)?.[1] ?? 0;
      lane.item.classList.toggle("home", finished && now >= end);
      const stopped = !finished && now >= end ? `, stopped at ${Math.floor(100 * furthest)}%` : "";
      lane.clock.textContent = inWords(Math.min(now, end), now >= end) + stopped;
      paintLane(lane, Math.floor(share * shown.height));
    }
  }

  function paintLane(lane, rows) {
    const { width, height, count, channels, values } = shown;
    const pixels = width * height * channels;
    const wall = wallOf(count, count, shown);
    fitCanvas(lane.canvas, wall.width, wall.height, Math.min(part("lanes").clientWidth, 24 * wall.width));
    const image = new ImageData(wall.width, wall.height);
    const colours = inkAndPaper(lane.canvas);
    for (let n = 0; n < count; n += 1) {
      fillImage(image, n * wall.across, 0, values.subarray(n * pixels, (n + 1) * pixels), rows * width * channels, shown, colours);
    }
    lane.canvas.getContext("2d").putImageData(image, 0, 0);
    lane.canvas.setAttribute("aria-label", `${rows} of ${height} rows drawn in ${lane.clock.textContent}`);
  }

  const resized = new ResizeObserver(() => paint(seconds()));
  resized.observe(part("lanes"));
  part("again").onclick = start;

  function close() {
    cancelAnimationFrame(frame);
    resized.disconnect();
  }

  return { show, close };
}

function inWords(seconds, over) {
  if (seconds < 1 && over) return `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  return `${seconds.toFixed(over ? 2 : 1)} s`;
}
