// A plane of noise on its way to data. The field is the network's own, sent once and asked here; where the dots are when it is followed as
// finely as can be was computed by the model. Lengths are in the network's units, in which the data have standard deviation 1.

const SECONDS = 7; // from noise to data
const DEVICE_PIXELS = 720;
const ARROWS = 17; // each way
const LONGEST = 0.9; // of an arrow, in parts of the distance between two
const FINE = "as fine as can be";
const OWN_STEPS = 24; // of the point under the pointer

export default mounts(function createStream(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const canvas = part("plane").querySelector("canvas");
  let data = null;
  let velocity = null;
  let stations = []; // of the dots, as the chosen solver leads them
  let time = 0;
  let probe = [0, 0];
  let arrows = { time: -1, slopes: null };

  function show(received) {
    if (data?.id !== received.id) {
      data = decode(received);
      velocity = createField(data);
      arrows = { time: -1, slopes: null };
      offer();
      choose();
      probe = [data.reach / 2, data.reach / 2];
      seek(player.wantsRest() ? 1 : 0);
      player.play(!player.wantsRest());
    }
    paint();
    write();
  }

  function decode(received) {
    const floats = (text) => new Float32Array(bytes(text));
    const paths = floats(received.paths);
    const size = paths.length / (received.stations + 1);
    const fine = Array.from({ length: received.stations + 1 }, (_, station) => paths.subarray(station * size, (station + 1) * size));
    return { ...received, weights: floats(received.weights), real: floats(received.real), fine };
  }

  // Only what is computed at once while one looks: so many passes of the network at most.
  function offer() {
    const options = (names) => names.map((name) => new Option(name, name));
    if (!part("solver").length) part("solver").replaceChildren(...options(Object.keys(data.solvers)));
    const kept = part("steps").value;
    const stages = data.solvers[part("solver").value].nodes.length;
    const counts = data.counts.filter((count) => count * stages <= data.most).map(String);
    part("steps").replaceChildren(...options([...counts, FINE]));
    part("steps").value = counts.includes(kept) ? kept : FINE;
  }

  function choose() {
    const isFine = part("steps").value === FINE;
    const [steps, solver] = [Number(part("steps").value), data.solvers[part("solver").value]];
    part("solver").disabled = isFine;
    stations = isFine ? data.fine : follow(velocity, data.fine[0], solver, steps);
    const off = apartOf(stations.at(-1), data.fine.at(-1));
    part("passes").textContent = isFine ? "–" : String(steps * solver.nodes.length);
    part("off").textContent = isFine ? "–" : signedOr(off);
    part("detour").textContent = `${detourOf(stations).toFixed(2)} ×`;
    part("verdict").textContent = isFine
      ? "The field is followed so closely that nothing is seen of the steps. Take fewer: where ways are straight, a few are enough."
      : off < 0.05
        ? "Where the points end is hardly seen to be off."
        : steps === 1 && part("solver").value === "euler"
          ? "One step goes along the velocity that noise has at its start: all head for the middle of the data."
          : "Each step goes straight on where the field already bends, and the points land beside the data.";
  }

  const signedOr = (value) => `${value < 0.005 ? "< 0.01" : value.toFixed(2)} σ`;

  const player = createPlayer(part("play"), {
    begin: () => time >= 1 && seek(0),
    advance: (seconds) => {
      seek(time + seconds / SECONDS);
      if (time >= 1) player.play(false);
    },
  });

  function seek(wanted) {
    time = Math.max(0, Math.min(wanted, 1));
    const words = time === 0 ? "t = 0, noise" : time === 1 ? "t = 1, data" : `t = ${time.toFixed(2)}`;
    part("scrub").value = time;
    part("scrub").setAttribute("aria-valuetext", words);
    part("where").textContent = words;
    paint();
    write();
  }

  // Where the dots are now: on the straight line from one station to the next.
  function now() {
    const place = time * (stations.length - 1);
    const from = Math.min(Math.floor(place), stations.length - 2);
    const share = place - from;
    return stations[from].map((value, i) => value + (stations[from + 1][i] - value) * share);
  }

  const grid = () => {
    const middles = Array.from({ length: ARROWS }, (_, i) => data.reach * ((2 * i + 1) / ARROWS - 1));
    return Float64Array.from(middles.flatMap((y) => middles.flatMap((x) => [x, y])));
  };

  // As people see the plane: the data's own units.
  const units = ([x, y]) => [data.middle[0] + data.spread * x, data.middle[1] + data.spread * y];

  function colourOfProperty(name) {
    const dummy = document.createElement("i");
    dummy.style.color = `var(${name})`;
    part("reading").append(dummy);
    const colour = colourOf(dummy);
    dummy.remove();
    return colour;
  }

  function paint() {
    if (!data) return;
    if (canvas.width !== DEVICE_PIXELS) canvas.width = canvas.height = DEVICE_PIXELS;
    const context = canvas.getContext("2d");
    const [ink, orange, blue] = [colourOf(canvas), colourOfProperty("--negative"), colourOfProperty("--positive")];
    const scale = DEVICE_PIXELS / 2 / data.reach;
    const at = (x, y) => [DEVICE_PIXELS / 2 + scale * x, DEVICE_PIXELS / 2 - scale * y];
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.lineCap = "round";
    if (part("with-real").checked) paintDots(context, at, data.real, ink, 2, 0.3);
    if (part("with-arrows").checked) paintArrows(context, at, blue, scale);
    if (part("with-ways").checked) paintWays(context, at, orange);
    if (part("with-dots").checked) paintDots(context, at, now(), orange, 4, 1);
    paintProbe(context, at, ink);
  }

  function paintDots(context, at, points, colour, radius, opacity) {
    context.fillStyle = colour;
    context.globalAlpha = opacity;
    for (let i = 0; i < points.length; i += 2) {
      context.beginPath();
      context.arc(...at(points[i], points[i + 1]), radius, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  // As long as the velocity is fast, up to the distance between two; from where the point is, towards where it goes.
  function paintArrows(context, at, colour, scale) {
    const points = grid();
    if (arrows.time !== time) arrows = { time, slopes: velocity(points, time) };
    const apart = (2 * data.reach) / ARROWS;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.globalAlpha = 0.7;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const [x, y, dx, dy] = [points[i], points[i + 1], arrows.slopes[i], arrows.slopes[i + 1]];
      const speed = Math.hypot(dx, dy);
      const length = (LONGEST * apart * speed) / (speed + 1);
      const [ux, uy] = [dx / (speed || 1), dy / (speed || 1)];
      const [tail, tip] = [at(x - (ux * length) / 2, y - (uy * length) / 2), at(x + (ux * length) / 2, y + (uy * length) / 2)];
      const head = 0.3 * length * scale;
      context.moveTo(...tail);
      context.lineTo(...tip);
      context.moveTo(tip[0] - head * (0.87 * ux + 0.5 * uy), tip[1] - head * (0.5 * ux - 0.87 * uy));
      context.lineTo(...tip);
      context.lineTo(tip[0] - head * (0.87 * ux - 0.5 * uy), tip[1] + head * (0.5 * ux + 0.87 * uy));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function paintWays(context, at, colour) {
    context.strokeStyle = colour;
    context.globalAlpha = 0.45;
    context.lineWidth = 1.4;
    context.beginPath();
    for (let n = 0; n < stations[0].length; n += 2) {
      stations.forEach((station, i) => (i ? context.lineTo(...at(station[n], station[n + 1])) : context.moveTo(...at(station[n], station[n + 1]))));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  const onwards = () => (time < 1 ? follow(velocity, probe, data.solvers.midpoint, Math.ceil(OWN_STEPS * (1 - time)), time) : [probe]);

  function paintProbe(context, at, ink) {
    context.strokeStyle = ink;
    context.lineWidth = 2.5;
    context.beginPath();
    onwards().forEach(([x, y], i) => (i ? context.lineTo(...at(x, y)) : context.moveTo(...at(x, y))));
    context.stroke();
    context.lineWidth = 3;
    context.fillStyle = getComputedStyle(canvas).backgroundColor;
    context.beginPath();
    context.arc(...at(...probe), 8, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }

  function write() {
    if (!data) return;
    const pair = ([a, b]) => `(${written(a)}, ${written(b)})`;
    const [slope, end] = [velocity(Float64Array.from(probe), time), onwards().at(-1)];
    part("x").textContent = pair(units(probe));
    part("v").textContent = pair([data.spread * slope[0], data.spread * slope[1]]);
    part("end").textContent = pair(units(end));
    const sentence = `At ${part("where").textContent}, a point at ${part("x").textContent} would end at ${part("end").textContent}.`;
    part("plane").setAttribute("aria-label", `Noise streams to data. ${sentence} Arrow keys move the point.`);
  }

  function put(x, y) {
    const within = (value) => Math.max(-data.reach, Math.min(data.reach, value));
    probe = [within(x), within(y)];
    write();
    paint();
  }

  part("plane").onpointermove = (event) => {
    if (!data) return;
    const box = canvas.getBoundingClientRect();
    put(data.reach * ((2 * (event.clientX - box.left)) / box.width - 1), data.reach * (1 - (2 * (event.clientY - box.top)) / box.height));
  };
  part("plane").onpointerdown = part("plane").onpointermove;
  part("plane").onkeydown = (event) => {
    const moves = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const far = (event.shiftKey ? 0.2 : 0.04) * data.reach;
    put(probe[0] + far * move[0], probe[1] + far * move[1]);
    part("said").textContent = `would end at ${part("end").textContent}`;
  };

  part("scrub").oninput = (event) => {
    player.play(false);
    seek(Number(event.target.value));
  };
  part("solver").onchange = () => {
    offer();
    choose();
    paint();
  };
  part("steps").onchange = () => {
    choose();
    paint();
  };
  for (const name of ["with-arrows", "with-dots", "with-ways", "with-real"]) part(name).onchange = paint;

  return { show, close: () => player.close() };
});
