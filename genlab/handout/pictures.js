// Pictures of codes: a wall of draws, a map where a code has two numbers, else a line between two codes; and each number by itself.

const WALL = 24;
const TILES = 14; // a side of the map
const REACH = 2.5; // standard deviations that the map shows to each side
const STATIONS = 7;
const SLIDERS = 16;
const MEANT = 256; // of more numbers, such as a flow's, one alone says nothing
const BREATH = 12; // milliseconds of painting before the page may answer

const kind = { create, check: checkCodes, show: showPictures };

function showPictures(root, model) {
  const part = (name) => root.querySelector(`#${name}`);
  const { data } = model;
  const [channels, height, width] = data.shape;
  const image = { width, height, channels, levels: 256 };
  const greys = new Uint8Array(channels * height * width);
  const hasMap = data.latents === 2;
  const state = { label: 0, noise: new Float64Array(data.latents), ends: [0, 1], share: 0 };
  let walls = 0;
  let maps = 0;

  const { temperature, seed } = drawingControls(part, paintWall);
  const end = (which) => noiseOf(data, 1_000_000 + state.ends[which], which);

  // In an array that the next call fills anew.
  function pictureOf(noise) {
    model.expected(codeOf(data, noise, state.label)).forEach((share, i) => (greys[i] = Math.round(255 * Math.min(1, Math.max(0, share)))));
    return greys;
  }

  function putPicture(canvas, noise, left, top) {
    const picture = new ImageData(width, height);
    fillImage(picture, 0, 0, pictureOf(noise), greys.length, image, inkAndPaper(canvas));
    canvas.getContext("2d").putImageData(picture, left, top);
  }

  // Many pictures, with a breath for the page now and then.
  async function putAll(canvas, noises, placeOf, isStale) {
    let since = performance.now();
    for (const [n, noise] of noises.entries()) {
      putPicture(canvas, noise, ...placeOf(n));
      if (performance.now() - since < BREATH) continue;
      await breathe();
      if (isStale()) return;
      since = performance.now();
    }
  }

  async function paintWall() {
    const mine = (walls += 1);
    const canvas = part("wall");
    const room = canvas.parentElement.clientWidth;
    const { columns, across, down, width: wide, height: high } = wallOf(WALL, room > 640 ? 12 : 6, image);
    fitCanvas(canvas, wide, high, room);
    const noises = Array.from({ length: WALL }, (_, n) => noiseOf(data, seed(), n, temperature()));
    const words = `${WALL} pictures of codes drawn with seed ${seed()}${temperature() === 1 ? "" : `, ${temperature()} times as far from the middle`}`;
    canvas.setAttribute("aria-label", words);
    part("wall-words").textContent = `${words}: ${data.words}.`;
    await putAll(canvas, noises, (n) => [(n % columns) * across, Math.floor(n / columns) * down], () => mine !== walls);
  }

  function paintHere() {
    const canvas = part("picture");
    const noise = state.noise;
    fitCanvas(canvas, width, height, Math.min(224, canvas.parentElement.clientWidth || 224));
    putPicture(canvas, noise, 0, 0);
    const words = hasMap ? `code (${Array.from(noise, (value) => value.toFixed(2).replace("-", "−")).join(", ")})` : `${Math.round(state.share)} % of the way from A to B`;
    part("code").textContent = words;
    canvas.setAttribute("aria-label", `Picture of ${words}`);
    if (hasMap) Object.assign(part("here").style, { left: `${50 + (50 * noise[0]) / REACH}%`, top: `${50 - (50 * noise[1]) / REACH}%` });
    for (const slider of part("numbers").querySelectorAll("input")) slider.value = noise[Number(slider.dataset.number)];
  }
  const paintSoon = oncePerFrame(paintHere);

  async function paintMap() {
    const mine = (maps += 1);
    const canvas = part("map");
    Object.assign(canvas, { width: TILES * width, height: TILES * height });
    const at = (tile) => REACH * ((2 * tile + 1) / TILES - 1);
    const noises = Array.from({ length: TILES ** 2 }, (_, n) => Float64Array.of(at(n % TILES), -at(Math.floor(n / TILES))));
    await putAll(canvas, noises, (n) => [(n % TILES) * width, Math.floor(n / TILES) * height], () => mine !== maps);
  }

  async function paintLine() {
    const mine = (maps += 1);
    const canvas = part("stations");
    const { across, width: wide, height: high } = wallOf(STATIONS, STATIONS, image);
    fitCanvas(canvas, wide, high, canvas.parentElement.clientWidth);
    const [a, b] = [end(0), end(1)];
    canvas.setAttribute("aria-label", `${STATIONS} pictures on the way from A to B`);
    const noises = Array.from({ length: STATIONS }, (_, n) => between(a, b, n / (STATIONS - 1)));
    await putAll(canvas, noises, (n) => [n * across, 0], () => mine !== maps);
  }

  function walkTo(share) {
    state.share = share;
    state.noise = between(end(0), end(1), share / 100);
    part("share").setAttribute("aria-valuetext", `${share} percent of the way`);
    paintSoon();
  }

  function paintWalk() {
    return hasMap ? paintMap() : paintLine();
  }

  function moveTo(x, y) {
    state.noise = Float64Array.of(x, y);
    paintSoon();
  }

  part("classes").hidden = !data.classes;
  part("class").replaceChildren(...Array.from({ length: data.classes }, (_, label) => new Option(label, label)));
  part("class").onchange = (event) => {
    state.label = Number(event.target.value);
    everything();
  };
  part("map-here").hidden = !hasMap;
  part("line").hidden = hasMap;
  part("walk-words").textContent = hasMap
    ? "A code has two numbers, so all codes lie on a map. Move over it, and see what the one under the pointer stands for."
    : `A code has ${data.latents} ${data.latents === 1 ? "number" : "numbers"}. Between two codes lies a straight line, and each place on it is a code as well.`;
  pointing(part("plane"), REACH, () => state.noise, moveTo);
  part("share").oninput = (event) => walkTo(Number(event.target.value));
  ["a", "b"].forEach((name, which) => {
    part(`another-${name}`).onclick = () => {
      state.ends[which] += 2;
      part("share").value = 100 * which;
      walkTo(100 * which);
      paintLine();
    };
  });
  part("numbers").append(
    ...slidersOf(Math.min(SLIDERS, data.latents), (number, value) => {
      state.noise = Float64Array.from(state.noise, (before, i) => (i === number ? value : before));
      paintSoon();
    }),
  );
  part("numbers-here").hidden = data.latents > MEANT;
  if (data.latents > SLIDERS) part("numbers-here").querySelector("summary").textContent += ` (the first ${SLIDERS} of ${data.latents})`;

  function everything() {
    paintWall();
    if (hasMap) paintHere();
    else walkTo(Number(part("share").value));
    return paintWalk();
  }

  whenColoursChange(everything);
  return everything();
}
