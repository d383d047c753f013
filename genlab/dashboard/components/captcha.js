// The challenge: a grid in which generated pictures are marked, or single ones that are called real or generated, one after another.
// The browser measures the time. Which pictures are generated is not known here before all of them were judged.

const KEYS = { r: false, ArrowLeft: false, g: true, ArrowRight: true }; // in single pictures: is it generated?
const BETWEEN_MS = 250; // an empty frame, so that two pictures are told apart
const MOVES = { ArrowLeft: -1, ArrowRight: 1 };

export default mounts(createCaptcha);

function createCaptcha(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  const single = root.querySelector(".single canvas");
  let shown = null;
  let tiles = []; // canvases, in the order of the pictures
  let marked = []; // which are called generated
  let seconds = []; // that single pictures took
  let at = 0; // the tile that the keyboard is on, or the single picture at hand
  let begun = 0; // when the pictures, or the single one, came into sight
  let state = "waiting"; // then "judging", "between" or "sent"
  let frame = 0;

  function show(data) {
    const isNew = shown?.id !== data.id || Boolean(shown.truth) !== Boolean(data.truth) || shown.limit !== data.limit;
    if (isNew) {
      const [channels, height, width] = data.shape;
      shown = { ...data, channels, height, width, values: new Uint8Array(bytes(data.values)) };
      cancelAnimationFrame(frame);
      begin();
    }
    paint();
  }

  function begin() {
    const { kind, truth, count } = shown;
    const isOne = kind === "one" && !truth;
    if (truth === null) {
      marked = new Array(count).fill(false);
      seconds = [];
    }
    at = 0;
    state = isOne ? "waiting" : truth ? "sent" : "judging";
    part("task").textContent = shown.task;
    part("tiles").hidden = isOne;
    part("single").hidden = !isOne;
    part("tools").hidden = Boolean(truth);
    part("check").hidden = kind !== "grid";
    part("start").hidden = !isOne;
    part("real").hidden = part("generated").hidden = true;
    part("check").disabled = false;
    part("hint").textContent = kind === "grid" ? "Arrows move, space marks, Enter checks." : "Space starts. Then R or ← is real, G or → generated.";
    part("where").textContent = isOne ? `${count} pictures, each for ${shown.limit ? `${shown.limit} s` : "as long as you like"}` : "";
    part("clock").hidden = true;
    single.classList.add("gone");
    part("tiles").replaceChildren(...(isOne ? [] : Array.from({ length: count }, (_, n) => (truth ? createVerdict(n) : createTile(n)))));
    tiles = [...part("tiles").querySelectorAll("canvas")];
    begun = performance.now();
  }

  function createTile(n) {
    const item = document.createElement("li");
    item.innerHTML = '<button type="button" class="tile" aria-pressed="false"><canvas aria-hidden="true"></canvas></button>';
    const tile = item.firstChild;
    tile.setAttribute("aria-label", `Picture ${n + 1} of ${shown.count} is generated`);
    tile.tabIndex = n === 0 ? 0 : -1;
    tile.onclick = () => mark(n);
    tile.onfocus = () => step(n);
    return item;
  }

  function createVerdict(n) {
    const item = document.createElement("li");
    item.innerHTML = '<div class="shown"><canvas role="img"></canvas></div><p class="verdict"></p>';
    const isRight = shown.truth[n] === shown.called[n];
    const truth = shown.truth[n] ? "generated" : "real";
    item.className = isRight ? "right" : "wrong";
    item.querySelector(".verdict").textContent = `${isRight ? "✓" : "✗"} ${truth}`;
    item.querySelector("canvas").setAttribute("aria-label", `Picture ${n + 1} is ${truth}; you called it ${shown.called[n] ? "generated" : "real"}`);
    return item;
  }

  // --- grids -------------------------------------------------------------------------------------------------------------------

  function buttons() {
    return [...part("tiles").querySelectorAll(".tile")];
  }

  function mark(n) {
    if (state !== "judging") return;
    marked[n] = !marked[n];
    buttons()[n].setAttribute("aria-pressed", String(marked[n]));
  }

  function step(n) {
    at = n;
    buttons().forEach((tile, i) => (tile.tabIndex = i === n ? 0 : -1));
  }

  function move(key) {
    const columns = shown.columns;
    const by = MOVES[key] ?? (key === "ArrowUp" ? -columns : columns);
    const isInside = buttons().includes(root.activeElement ?? root.getRootNode().activeElement);
    const to = isInside ? at + by : at; // whoever comes from outside begins where the last one was
    if (to < 0 || to >= shown.count) return;
    step(to);
    buttons()[to].focus();
  }

  function check() {
    if (state !== "judging") return;
    seconds = [(performance.now() - begun) / 1000];
    say();
  }

  // --- single pictures -----------------------------------------------------------------------------------------------------------

  function start() {
    if (state !== "waiting") return;
    part("start").hidden = true;
    part("real").hidden = part("generated").hidden = false;
    part("clock").hidden = !shown.limit;
    part("card").scrollIntoView({ block: "nearest" }); // all of it, on a telephone too
    next();
  }

  function next() {
    state = "between";
    single.classList.add("gone");
    part("where").textContent = `picture ${at + 1} of ${shown.count}`;
    const since = performance.now();
    const wait = (now) => {
      if (now - since < BETWEEN_MS) return void (frame = requestAnimationFrame(wait));
      paint();
      single.classList.remove("gone");
      single.setAttribute("aria-label", `Picture ${at + 1} of ${shown.count}`);
      state = "judging";
      begun = performance.now();
      frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(wait);
  }

  function tick() {
    if (state !== "judging" || !shown.limit) return;
    const left = Math.max(0, 1 - (performance.now() - begun) / (1000 * shown.limit));
    const steps = stillness.matches ? shown.limit : 1000; // who wants no motion sees whole seconds go
    part("left").style.width = `${(100 * Math.ceil(left * steps)) / steps}%`;
    if (left > 0) return void (frame = requestAnimationFrame(tick));
    single.classList.add("gone");
    part("where").textContent = `picture ${at + 1} of ${shown.count}: which was it?`;
  }

  function call(isGenerated) {
    if (state !== "judging") return;
    cancelAnimationFrame(frame);
    seconds[at] = (performance.now() - begun) / 1000;
    marked[at] = isGenerated;
    at += 1;
    if (at < shown.count) next();
    else say();
  }

  // --- both ------------------------------------------------------------------------------------------------------------------------

  function say() {
    state = "sent";
    for (const button of part("tools").querySelectorAll("button")) button.hidden = true;
    part("hint").textContent = "Looking at it …";
    captcha.trigger("answer", { id: shown.id, generated: marked, seconds });
  }

  function press(event) {
    const { key, target } = event;
    if (!shown || shown.truth || state === "sent" || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const host = root.getRootNode().host ?? root;
    const inside = event.composedPath().includes(root);
    // Whoever has tabbed to something else means that.
    if (!inside && target !== host && target !== document.body && !target.matches("main, section, div")) return;
    const onButton = inside && event.composedPath()[0].matches(".tools button");
    if (shown.kind === "grid") {
      if (key.startsWith("Arrow")) move(key);
      else if (key === "Enter" && !onButton) check();
      else return;
    } else if (state === "waiting") {
      if (key !== " " || onButton) return;
      start();
    } else {
      const called = KEYS[key.length === 1 ? key.toLowerCase() : key];
      if (called === undefined) return;
      call(called);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  function paint() {
    if (!shown) return;
    const { columns, large } = shown;
    const room = part("captcha").clientWidth;
    part("tiles").style.gridTemplateColumns = `repeat(${columns}, max-content)`;
    const each = Math.min(large, (room - 20 - 8 * (columns - 1)) / columns - 18);
    tiles.forEach((canvas, n) => paintOne(canvas, n, each));
    if (shown.kind === "one" && !shown.truth) paintOne(single, Math.min(at, shown.count - 1), Math.min(room - 40, 260));
  }

  function paintOne(canvas, n, available) {
    const { width, height, channels, values } = shown;
    const pixels = width * height * channels;
    fitCanvas(canvas, width, height, available);
    const image = new ImageData(width, height);
    fillImage(image, 0, 0, values.subarray(n * pixels, (n + 1) * pixels), pixels, shown, inkAndPaper(canvas));
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  part("check").onclick = check;
  part("start").onclick = start;
  part("real").onclick = () => call(false);
  part("generated").onclick = () => call(true);
  document.addEventListener("keydown", press, true);
  const resized = new ResizeObserver(paint);
  resized.observe(part("captcha"));

  function close() {
    cancelAnimationFrame(frame);
    document.removeEventListener("keydown", press, true);
    resized.disconnect();
  }

  const captcha = { show, close };
  return captcha;
}
