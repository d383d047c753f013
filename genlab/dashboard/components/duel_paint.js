// How the GAN in the plane looks: D's field, G's grid, points, arrows, and curves over the steps.

const HALF = 1.6; // of the plane that is seen, which holds data from −1 to 1
const FIELD = 44; // cells a side
const FIELD_INK = 0.45; // so much of the colour at most: points stand out from it
const ARROWS = 64;
const ARROW = 1.2; // of a gradient of length 1, in the plane's units
const LONGEST_ARROW = 0.45;
const GRID_LINES = 13;
const GRID_STEPS = 40;
const REACH_OF_Z = { normal: 2, uniform: 1, line: 1 };
const LABELLED = 5;

// The plane's points, row by row from the top, where D's field is looked at.
const FIELD_POINTS = Float64Array.from({ length: 2 * FIELD * FIELD }, (_, i) => {
  const cell = i >> 1;
  const share = ((i % 2 ? FIELD - 1 - Math.floor(cell / FIELD) : cell % FIELD) + 0.5) / FIELD;
  return HALF * (2 * share - 1);
});

function createPlane(canvas, colours) {
  const context = canvas.getContext("2d");
  const field = document.createElement("canvas");
  field.width = field.height = FIELD;
  let scale = 1; // device pixels of one unit

  const x = (value) => scale * (value + HALF);
  const y = (value) => scale * (HALF - value);

  function fit() {
    const side = Math.round(canvas.clientWidth * Math.min(devicePixelRatio, 2));
    if (side && canvas.width !== side) canvas.width = canvas.height = side;
    scale = canvas.width / (2 * HALF);
  }

  // `scene`: the game, its settings, the real points that are shown, and of the newest move of G the points and what D handed them.
  function paint({ game, settings, real, fake, handed, labels, cursor }) {
    fit();
    const look = colours();
    const unit = canvas.width / 520;
    if (game) {
      paintField(game, settings, look);
      paintGrid(game, settings, look, unit);
    } else {
      context.fillStyle = css(look.paper);
      context.fillRect(0, 0, canvas.width, canvas.height);
    }
    dots(real, look.real, look.paper, 2.4 * unit);
    if (fake) dots(fake, look.fake, look.paper, 2.8 * unit);
    if (handed) arrows(fake, handed, look.ink, unit);
    labels?.forEach((label) => write(label, look, unit));
    if (cursor) cross(cursor, look.ink, unit);
  }

  function paintField(game, settings, { real, fake, paper }) {
    const logits = forward(game.D, FIELD_POINTS, FIELD * FIELD).at(-1);
    const share = sharesOf(settings.loss, logits);
    const image = new ImageData(FIELD, FIELD);
    for (let i = 0; i < logits.length; i += 1) {
      const lean = 2 * share(logits[i]) - 1;
      setPixel(image, i % FIELD, Math.floor(i / FIELD), mix(paper, lean > 0 ? real : fake, FIELD_INK * Math.abs(lean)));
    }
    field.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(field, 0, 0, canvas.width, canvas.height);
  }

  // Lines of equal z₁ and of equal z₂, through G.
  function paintGrid(game, settings, { fake, paper }, unit) {
    const z = gridOf(settings.z);
    const points = forward(game.G, z, z.length / 2).at(-1);
    context.strokeStyle = css(mix(paper, fake, 0.75));
    context.lineWidth = 0.8 * unit;
    context.globalAlpha = 0.6;
    context.beginPath();
    for (let at = 0; at < points.length; at += 2) {
      const isStart = (at >> 1) % GRID_STEPS === 0;
      context[isStart ? "moveTo" : "lineTo"](x(points[at]), y(points[at + 1]));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function dots(points, colour, halo, radius) {
    for (const [style, size] of [[halo, 1.45], [colour, 1]]) {
      context.fillStyle = css(style);
      context.beginPath();
      for (let i = 0; i < points.length; i += 2) {
        const [left, top] = [x(points[i]), y(points[i + 1])];
        context.moveTo(left + size * radius, top);
        context.arc(left, top, size * radius, 0, 2 * Math.PI);
      }
      context.fill();
    }
  }

  // The way that lessens G's loss, as long as the gradient is steep: where there are no arrows, G learns nothing.
  function arrows(points, handed, colour, unit) {
    const count = points.length / 2;
    context.strokeStyle = css(colour);
    context.lineWidth = 1.2 * unit;
    context.beginPath();
    for (let n = 0; n < Math.min(count, ARROWS); n += 1) {
      const [dx, dy] = [-handed[2 * n] * count, -handed[2 * n + 1] * count];
      const length = Math.hypot(dx, dy);
      const shown = Math.min(ARROW * length, LONGEST_ARROW);
      if (shown * scale < 2) continue;
      arrow(x(points[2 * n]), y(points[2 * n + 1]), dx / length, -dy / length, shown * scale, Math.min(5 * unit, 0.4 * shown * scale));
    }
    context.stroke();
  }

  function arrow(left, top, dx, dy, length, head) {
    const [tipX, tipY] = [left + dx * length, top + dy * length];
    context.moveTo(left, top);
    context.lineTo(tipX, tipY);
    context.moveTo(tipX + head * (-dx - dy), tipY + head * (dx - dy));
    context.lineTo(tipX, tipY);
    context.lineTo(tipX + head * (-dx + dy), tipY + head * (-dx - dy));
  }

  function write({ at, text, isReal }, { real, fake, paper }, unit) {
    context.font = `600 ${13 * unit}px ${getComputedStyle(canvas).fontFamily}`;
    context.lineWidth = 4 * unit;
    context.strokeStyle = css(paper);
    context.fillStyle = css(isReal ? real : fake);
    const [left, top] = [Math.min(x(at[0]) + 6 * unit, canvas.width - 40 * unit), Math.max(y(at[1]) - 6 * unit, 14 * unit)];
    context.strokeText(text, left, top);
    context.fillText(text, left, top);
  }

  function cross([across, up], colour, unit) {
    context.strokeStyle = css(colour);
    context.lineWidth = 1.5 * unit;
    context.beginPath();
    context.moveTo(x(across) - 9 * unit, y(up));
    context.lineTo(x(across) + 9 * unit, y(up));
    context.moveTo(x(across), y(up) - 9 * unit);
    context.lineTo(x(across), y(up) + 9 * unit);
    context.stroke();
  }

  // Where in the plane a mouse or a finger is.
  function placeOf(event) {
    const box = canvas.getBoundingClientRect();
    return [HALF * (2 * ((event.clientX - box.left) / box.width) - 1), HALF * (1 - 2 * ((event.clientY - box.top) / box.height))];
  }

  return { paint, placeOf };
}

const css = (channels) => `rgb(${channels.map(Math.round).join(" ")})`;

// How real a logit looks, 0 to 1. A critic's has no zero and no scale of its own: what it gives in the plane serves as both.
function sharesOf(loss, logits) {
  if (!CRITICS.includes(loss)) return sigmoid;
  let [sum, squares] = [0, 0];
  for (const value of logits) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / logits.length;
  const spread = Math.sqrt(Math.max(squares / logits.length - mean * mean, 1e-12));
  return (logit) => sigmoid((2 * (logit - mean)) / spread);
}

const gridsMade = {};
function gridOf(kind) {
  gridsMade[kind] ??= makeGrid(REACH_OF_Z[kind], kind === "line" ? [0] : Array.from({ length: GRID_LINES }, (_, i) => (2 * i) / (GRID_LINES - 1) - 1));
  return gridsMade[kind];
}

function makeGrid(reach, levels) {
  const along = Array.from({ length: GRID_STEPS }, (_, i) => (2 * i) / (GRID_STEPS - 1) - 1);
  const lines = levels.flatMap((level) => (levels.length === 1 ? [along.map((t) => [t, level])] : [along.map((t) => [t, level]), along.map((t) => [level, t])]));
  return Float64Array.from(lines.flat(2), (value) => reach * value);
}

// Curves over the steps: `lines` of {values, colour}, level lines of {value, text, colour}.
function paintCurves(canvas, { steps, lines, levels, most, least, title, ink, paper }) {
  const ratio = Math.min(devicePixelRatio, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
    canvas.width = width * ratio;
    canvas.height = height * ratio;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = css(paper);
  context.fillRect(0, 0, width, height);
  const [left, right, top, bottom] = [4, 44, 20, 6];
  const last = Math.max(steps.at(-1) ?? 1, 1);
  const x = (step) => left + ((width - left - right) * step) / last;
  const y = (value) => height - bottom - ((height - top - bottom) * (Math.max(least, Math.min(value, most)) - least)) / (most - least);
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  let at = left;
  for (const { text, colour } of title) {
    context.fillStyle = css(colour ?? mix(paper, ink, 0.72));
    context.fillText(text, at, 12);
    at += context.measureText(`${text}  `).width + 6;
  }
  context.setLineDash([4, 4]);
  context.lineWidth = 1;
  for (const { value, text, colour } of levels) {
    context.strokeStyle = context.fillStyle = css(colour ?? mix(paper, ink, 0.72));
    context.beginPath();
    context.moveTo(left, y(value));
    context.lineTo(width - right, y(value));
    context.stroke();
    context.fillText(text, width - right + 4, y(value) + 4);
  }
  context.setLineDash([]);
  context.lineWidth = 1.5;
  for (const { values, colour } of lines) {
    context.strokeStyle = css(colour);
    context.beginPath();
    values.forEach((value, i) => context[i ? "lineTo" : "moveTo"](x(steps[i]), y(value)));
    context.stroke();
  }
}
