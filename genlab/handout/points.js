// Points of the plane: codes on the left, what becomes of them on the right; a grid of codes is bent with them.

const POINTS = 2000;
const REACH = 3; // standard deviations that the plane of codes shows to each side
const GRID = 13; // lines each way
const FINE = 60; // pieces of a line
const SIDE = 420; // pixels at most
const SLIDERS = 16;

const kind = { create, check: checkCodes, show: showPoints };

function showPoints(root, model) {
  const part = (name) => root.querySelector(`#${name}`);
  const { data } = model;
  const hasPlane = data.latents === 2;
  let here = new Float64Array(data.latents);
  let noises = [];
  let [drawn, lines, view] = [[], [], null];

  const { temperature, seed } = drawingControls(part, draw);
  const pointOf = (noise) => [...model.expected(codeOf(data, noise))];

  // All points, the grid's too, and the square that shows nearly all of them.
  function draw() {
    const numbers = normalsOf(seed(), POINTS * data.latents);
    noises = Array.from({ length: POINTS }, (_, n) => numbers.subarray(n * data.latents, (n + 1) * data.latents).map((value) => temperature() * value));
    drawn = noises.map(pointOf);
    const at = (n, of) => REACH * ((2 * n) / (of - 1) - 1);
    const along = (n, i) => [Float64Array.of(at(n, GRID), at(i, FINE)), Float64Array.of(at(i, FINE), at(n, GRID))];
    lines = hasPlane ? [0, 1].flatMap((way) => Array.from({ length: GRID }, (_, n) => Array.from({ length: FINE }, (_, i) => along(n, i)[way]))) : [];
    const middle = [0, 1].map((axis) => drawn.map((point) => point[axis]).sort((a, b) => a - b)[POINTS / 2]);
    const away = drawn.map((point) => Math.max(Math.abs(point[0] - middle[0]), Math.abs(point[1] - middle[1]))).sort((a, b) => a - b);
    view = { middle, reach: 1.15 * away[Math.floor(0.995 * POINTS)] || 1 };
    paint();
  }

  // A square canvas with a pen whose unit is a pixel of the page, and from a point to its place.
  function sheet(canvas, { middle, reach }) {
    const side = Math.min(SIDE, canvas.closest("figure").clientWidth);
    canvas.width = canvas.height = Math.round(side * devicePixelRatio);
    canvas.style.width = canvas.style.height = `${side}px`;
    const pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    return [pen, ([x, y]) => [(side / 2) * (1 + (x - middle[0]) / reach), (side / 2) * (1 - (y - middle[1]) / reach)]];
  }

  function paintOne(canvas, frame, points, bent, marked) {
    const [pen, placed] = sheet(canvas, frame);
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
    pen.strokeStyle = colour("--st-border-color");
    for (const line of lines) {
      pen.beginPath();
      line.forEach((noise) => pen.lineTo(...placed(bent(noise))));
      pen.stroke();
    }
    pen.strokeStyle = colour("--st-green-color");
    for (const centre of canvas.id === "points" ? data.centres ?? [] : []) {
      pen.beginPath();
      pen.arc(...placed(centre), 7, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.fillStyle = colour("--st-blue-color");
    pen.globalAlpha = 0.55;
    for (const point of points) {
      const [x, y] = placed(point);
      pen.fillRect(x - 1, y - 1, 2, 2);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = colour("--st-orange-color");
    pen.beginPath();
    pen.arc(...placed(marked), 6, 0, 2 * Math.PI);
    pen.fill();
  }

  function paint() {
    const point = pointOf(here);
    if (hasPlane) paintOne(part("codes"), { middle: [0, 0], reach: REACH }, noises, (noise) => noise, here);
    paintOne(part("points"), view, drawn, pointOf, point);
    const written = (values) => Array.from(values, (value) => value.toFixed(2).replace("-", "−")).join(", ");
    part("code").textContent = `${hasPlane ? `code (${written(here)}) becomes ` : "the marked code becomes "}(${written(point)})`;
    part("points").setAttribute("aria-label", `${POINTS} points that the model draws; ${part("code").textContent}`);
  }
  const paintSoon = oncePerFrame(paint);

  function moveTo(x, y) {
    here = Float64Array.of(x, y);
    paintSoon();
  }

  part("codes-here").hidden = !hasPlane;
  part("points-words").textContent = hasPlane
    ? "The second picture shows where the model takes each code of the first, and the grid with them. Move over the codes."
    : `A code has ${data.latents} numbers; the model takes each to a point. Move the numbers of the marked one.`;
  pointing(part("plane"), REACH, () => here, moveTo);
  if (!hasPlane) part("numbers").append(...slidersOf(Math.min(SLIDERS, data.latents), (number, value) => {
    here[number] = value;
    paintSoon();
  }));
  whenColoursChange(paint);
  draw();
}
