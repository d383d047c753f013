// A plane of noise on its way through the layers of a flow. Where everything is at each station was computed by the model and sent once;
// between two stations it moves in straight lines. The numbers of a point are those of the square of the data's view that it lies in.

const SECONDS = 8; // from noise to data
const DEVICE_PIXELS = 720;
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// As people write it: 0.25, or 3.1 · 10⁻⁷.
function decimal(value) {
  if (value >= 0.01 || value === 0) return value.toFixed(2);
  const [digits, power] = value.toExponential(1).split("e-");
  return `${digits} · 10⁻${[...power].map((digit) => RAISED[digit]).join("")}`;
}

export default mounts(function createWarp(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const canvas = part("plane").querySelector("canvas");
  let data = null;
  let position = 0; // in stations; the fraction is on the way to the next
  let node = 0; // the square that is asked
  let heats = [];

  function show(received) {
    const isNew = data?.id !== received.id;
    data = decode(received);
    heats = Array.from({ length: data.stations }, (_, station) => paintHeat(station));
    part("base-name").textContent = data.temperature === 1 ? "log N(z; 0, I)" : `log N(z; 0, ${short(data.temperature)}² I)`;
    if (isNew) {
      part("scrub").max = data.stations - 1;
      node = likeliest();
      list();
      seek(player.wantsRest() ? data.stations - 1 : 0);
      player.play(!player.wantsRest());
    }
    paint();
    write();
  }

  function decode(received) {
    const floats = (text) => new Float32Array(bytes(text));
    const { lines, dots, nodes, log_dets: logDets, shade } = received;
    return { ...received, lines: floats(lines), dots: floats(dots), nodes: floats(nodes), logDets: floats(logDets), shade: new Uint8Array(bytes(shade)) };
  }

  const player = createPlayer(part("play"), {
    begin: () => position >= data.stations - 1 && (position = 0),
    advance: (seconds) => {
      seek(position + (seconds * (data.stations - 1)) / SECONDS);
      if (position >= data.stations - 1) player.play(false);
    },
  });

  function seek(wanted) {
    position = Math.max(0, Math.min(wanted, data.stations - 1));
    const last = data.stations - 1;
    const words = position === 0 ? "noise" : position === last ? "data" : `layer ${Math.ceil(position)} of ${last}`;
    part("scrub").value = position;
    part("scrub").setAttribute("aria-valuetext", words);
    part("where").textContent = words;
    [...part("layers").children].forEach((item, i) => {
      if (position > i && position <= i + 1) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    paint();
  }

  // Where each of `values` is now: two numbers a point, station after station.
  function now(values) {
    const size = values.length / data.stations;
    const station = Math.min(Math.floor(position), data.stations - 2);
    const share = position - station;
    const [from, to] = [values.subarray(station * size, (station + 1) * size), values.subarray((station + 1) * size, (station + 2) * size)];
    return from.map((value, i) => value + (to[i] - value) * share);
  }

  function paintHeat(station) {
    const [ink, paper] = [channelsOf(colourOfProperty("--positive")), inkAndPaper(canvas)[1]];
    const picture = document.createElement("canvas");
    picture.width = picture.height = data.side;
    const image = new ImageData(data.side, data.side);
    const size = data.side * data.side;
    for (let i = 0; i < size; i += 1) {
      setPixel(image, i % data.side, Math.floor(i / data.side), mix(paper, ink, (0.85 * data.shade[station * size + i]) / 255));
    }
    picture.getContext("2d").putImageData(image, 0, 0);
    return picture;
  }

  function colourOfProperty(name) {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    part("reading").append(probe);
    const colour = colourOf(probe);
    probe.remove();
    return colour;
  }

  function paint() {
    if (!data) return;
    if (canvas.width !== DEVICE_PIXELS) canvas.width = canvas.height = DEVICE_PIXELS;
    const half = DEVICE_PIXELS / 2;
    const context = canvas.getContext("2d");
    const [ink, orange] = [colourOf(canvas), colourOfProperty("--negative")];
    const at = (x, y) => [half + half * x, half - half * y];
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (part("with-density").checked) {
      const station = Math.floor(position);
      context.drawImage(heats[station], 0, 0, canvas.width, canvas.height);
      context.globalAlpha = position - station;
      if (position > station) context.drawImage(heats[station + 1], 0, 0, canvas.width, canvas.height);
      context.globalAlpha = 1;
    }
    if (part("with-grid").checked) {
      context.strokeStyle = ink;
      context.globalAlpha = 0.4;
      context.lineWidth = 1.4;
      const lines = now(data.lines);
      context.beginPath();
      for (let i = 0; i < lines.length; i += 2) {
        if ((i / 2) % data.along === 0) context.moveTo(...at(lines[i], lines[i + 1]));
        else context.lineTo(...at(lines[i], lines[i + 1]));
      }
      context.stroke();
      context.globalAlpha = 1;
    }
    if (part("with-dots").checked) {
      context.fillStyle = orange;
      const dots = now(data.dots);
      for (let i = 0; i < dots.length; i += 2) {
        context.beginPath();
        context.arc(...at(dots[i], dots[i + 1]), 3, 0, 2 * Math.PI);
        context.fill();
      }
    }
    paintNode(context, at, ink);
  }

  // The point that is asked: where it is, and the way it takes.
  function paintNode(context, at, ink) {
    const way = Array.from({ length: data.stations }, (_, station) => nodeAt(station));
    context.strokeStyle = ink;
    context.lineWidth = 2;
    context.globalAlpha = 0.7;
    context.beginPath();
    way.forEach(([x, y], i) => (i ? context.lineTo(...at(x, y)) : context.moveTo(...at(x, y))));
    context.stroke();
    context.globalAlpha = 1;
    const all = now(data.nodes);
    context.lineWidth = 3;
    context.fillStyle = getComputedStyle(canvas).backgroundColor;
    context.beginPath();
    context.arc(...at(all[2 * node], all[2 * node + 1]), 8, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }

  function nodeAt(station) {
    const start = 2 * (station * data.side * data.side + node);
    return [data.nodes[start], data.nodes[start + 1]];
  }

  // Back from a view to the station's own units.
  function units(station) {
    const [u, v] = nodeAt(station);
    const [[a, b], [c, d]] = data.turns[station];
    const [scale, [x, y]] = [data.scales[station], data.centres[station]];
    return [scale * (a * u + c * v) + x, scale * (b * u + d * v) + y];
  }

  function likeliest() {
    const size = data.side * data.side;
    const shade = data.shade.subarray((data.stations - 1) * size);
    return shade.reduce((best, value, i) => (value > shade[best] ? i : best), 0);
  }

  function list() {
    const items = Array.from({ length: data.stations - 1 }, (_, i) => {
      const item = document.createElement("li");
      item.innerHTML = `<span>layer ${i + 1}</span><span class="bar"><i></i></span><b></b>`;
      return item;
    });
    part("layers").replaceChildren(...items);
  }

  function write() {
    if (!data) return;
    const size = data.side * data.side;
    const logDet = (station) => data.logDets[station * size + node];
    const [x, z, t] = [units(data.stations - 1), units(0), data.temperature];
    const base = -0.5 * (z[0] ** 2 + z[1] ** 2) / t ** 2 - Math.log(2 * Math.PI) - 2 * Math.log(t);
    const total = base + logDet(0);
    const pair = ([a, b]) => `(${written(a)}, ${written(b)})`;
    const said = { x: pair(x), z: pair(z), base: written(base), volume: written(logDet(0)), total: written(total), density: decimal(Math.exp(total)) };
    for (const [name, words] of Object.entries(said)) part(name).textContent = words;
    const adds = Array.from({ length: data.stations - 1 }, (_, i) => logDet(i) - logDet(i + 1));
    const most = Math.max(1, ...adds.map(Math.abs));
    [...part("layers").children].forEach((item, i) => {
      item.querySelector(".bar").className = `bar ${adds[i] >= 0 ? "more" : "less"}`;
      item.querySelector("i").style.width = `${(100 * Math.abs(adds[i])) / most}%`;
      item.querySelector("b").textContent = written(adds[i]);
    });
    const sentence = `x ${said.x} comes from z ${said.z}: log p is ${said.base} plus ${said.volume}, ${said.total}.`;
    part("plane").setAttribute("aria-label", `From noise to data. ${sentence} Arrow keys move the point.`);
  }

  function ask(chosen) {
    node = chosen;
    write();
    paint();
  }

  // The square whose middle is nearest to the pointer now, at whatever station the plane is.
  part("plane").onpointermove = (event) => {
    if (!data) return;
    const box = canvas.getBoundingClientRect();
    const [u, v] = [(2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height];
    const all = now(data.nodes);
    let [best, least] = [node, Infinity];
    for (let i = 0; i < all.length; i += 2) {
      const away = (all[i] - u) ** 2 + (all[i + 1] - v) ** 2;
      if (away < least) [best, least] = [i / 2, away];
    }
    ask(best);
  };
  part("plane").onpointerdown = part("plane").onpointermove;
  part("plane").onkeydown = (event) => {
    const moves = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const far = event.shiftKey ? 5 : 1;
    const within = (value) => Math.max(0, Math.min(data.side - 1, value));
    const [column, row] = [within((node % data.side) + far * move[0]), within(Math.floor(node / data.side) + far * move[1])];
    ask(row * data.side + column);
    part("said").textContent = `log p ${part("total").textContent}`;
  };

  part("scrub").oninput = (event) => {
    player.play(false);
    seek(Number(event.target.value));
  };
  for (const name of ["with-grid", "with-dots", "with-density"]) part(name).onchange = paint;

  return { show, close: () => player.close() };
});
