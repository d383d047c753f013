// A flow backwards, from noise to data (genlab/models/flow/): scales of layers, each with its inverse. Maps lie as [channel][row][column].

const TAIL = 4; // a spline is the identity beyond
const LEAST = 1e-3; // of a bin's sides, in parts of the whole, and of a slope
const SLOPE_1 = Math.log(Math.expm1(1 - LEAST));
const [MARGIN, SCALED] = [1e-3, 0.5]; // of the logits that images begin with
const MOST_LOG_SCALE = 3;

function create(data, tensors) {
  const [channels, height, width] = data.shape.length === 3 ? data.shape : [data.shape[0], 1, 1];
  const isImage = data.shape.length === 3;
  let next = 0;
  const take = (count) => tensors.slice(next, (next += count));
  const scales = data.scales.map((kinds) => kinds.map((kind) => ({ kind, parts: take(kind === "own" ? 1 : kind === "mixed" ? 10 : 9) })));
  const values = new Float64Array(data.latents);

  function expected(code) {
    // A code has an image's shape, channels first.
    let map = { values: Float64Array.from(code), channels, height, width };
    const gone = [];
    scales.forEach((_, number) => {
      if (number) {
        const half = Math.ceil(map.channels / 2);
        gone.push(part(map, half, map.channels));
        map = part(map, 0, half);
      }
      if (data.squeezes) map = squeeze(map);
    });
    for (let number = scales.length - 1; number >= 0; number -= 1) {
      for (const layer of scales[number].toReversed()) map = layer.kind === "own" ? { ...map, values: ownBack(map.values, layer.parts[0]) } : stepBack(map, layer, data);
      if (data.squeezes) map = unsqueeze(map);
      if (number) map = joined(map, gone.pop());
    }
    for (let i = 0; i < values.length; i += 1) {
      const [pixel, channel] = [Math.floor(i / channels), i % channels];
      const value = map.values[channel * height * width + pixel];
      values[i] = isImage ? (1 / (1 + Math.exp(-value / SCALED)) - MARGIN) / (1 - 2 * MARGIN) : value;
    }
    return values;
  }

  return { data, expected };
}

const part = ({ values, height, width }, from, to) => ({ values: values.slice(from * height * width, to * height * width), channels: to - from, height, width });

function joined(one, other) {
  const values = new Float64Array(one.values.length + other.values.length);
  values.set(one.values);
  values.set(other.values, one.values.length);
  return { ...one, values, channels: one.channels + other.channels };
}

// Of each 2×2 pixels first one diagonal, then the other, as channels; and back.
const CORNERS = [[0, 0], [1, 1], [0, 1], [1, 0]];

function moveCorners({ channels, height, width }, move) {
  CORNERS.forEach(([down, right], corner) => {
    for (let c = 0; c < channels; c += 1) {
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) move(((corner * channels + c) * height + y) * width + x, (c * 2 * height + 2 * y + down) * 2 * width + 2 * x + right);
      }
    }
  });
}

function squeeze({ values, channels, height, width }) {
  const coarse = { values: new Float64Array(values.length), channels: 4 * channels, height: height / 2, width: width / 2 };
  moveCorners({ ...coarse, channels }, (small, large) => (coarse.values[small] = values[large]));
  return coarse;
}

function unsqueeze({ values, channels, height, width }) {
  const fine = { values: new Float64Array(values.length), channels: channels / 4, height: 2 * height, width: 2 * width };
  moveCorners({ channels: channels / 4, height, width }, (small, large) => (fine.values[large] = values[small]));
  return fine;
}

// The coupling, the 1×1 convolution and the norm, backwards.
function stepBack(map, { kind, parts }, { coupling, hidden }) {
  const { channels, height, width } = map;
  const size = height * width;
  const kept = Math.floor(channels / 2);
  const moved = channels - kept;
  const [place, first, middle, last, middleBias, lastBias, shift, factor, mean, back] = parts.map((part) => part.values);
  const a = part(map, moved, channels);
  let inner = convolved(a.values, kept, height, width, first, hidden);
  inner = inner.map((value, i) => silu(value + place[i]));
  inner = convolved(inner, hidden, height, width, middle, hidden).map((value, i) => silu(value + middleBias[Math.floor(i / size)]));
  const told = lastBias.length;
  const maps = convolved(inner, hidden, height, width, last, told).map((value, i) => value + lastBias[Math.floor(i / size)]);
  const each = told / moved;
  const parameters = new Float64Array(each);
  const whole = new Float64Array(map.values.length);
  whole.set(a.values);
  for (let i = 0; i < moved * size; i += 1) {
    for (let p = 0; p < each; p += 1) parameters[p] = maps[p * moved * size + i];
    whole[kept * size + i] = coupling === "affine" ? affineBack(map.values[i], parameters) : splineBack(map.values[i], parameters);
  }
  const mixed = kind === "mixed" ? convolved(whole, channels, height, width, back, channels) : whole;
  const values = mixed.map((value, i) => (value - shift[Math.floor(i / size)]) * factor[Math.floor(i / size)] + mean[Math.floor(i / size)]);
  return { ...map, values };
}

function ownBack(values, { rows, columns, values: weight }) {
  const parameters = new Float64Array(rows);
  return values.map((value, i) => {
    for (let p = 0; p < rows; p += 1) parameters[p] = weight[p * columns + i];
    return splineBack(value, parameters);
  });
}

const affineBack = (value, [scale, shift]) => value * Math.exp(-MOST_LOG_SCALE * Math.tanh(scale / MOST_LOG_SCALE)) - shift;

// The inverse of a monotone rational-quadratic spline (Durkan et al. 2019, equations 6 to 8).
function splineBack(value, parameters) {
  if (!(Math.abs(value) < TAIL)) return value;
  const bins = (parameters.length + 1) / 3;
  const [widths, heights] = [0, 1].map((row) => sides(parameters.subarray(row * bins, (row + 1) * bins)));
  let [bin, x, y] = [0, -TAIL, -TAIL];
  while (bin < bins - 1 && value >= y + heights[bin]) {
    x += widths[bin];
    y += heights[bin];
    bin += 1;
  }
  const slope = (knot) => (knot === 0 || knot === bins ? 1 : softplus(parameters[2 * bins + knot - 1] + SLOPE_1) + LEAST);
  const [first, last, s, risen] = [slope(bin), slope(bin + 1), heights[bin] / widths[bin], value - y];
  const bend = risen * (first + last - 2 * s);
  const [a, b, c] = [heights[bin] * (s - first) + bend, heights[bin] * first - bend, -s * risen];
  const xi = (2 * c) / (-b - Math.sqrt(Math.max(b * b - 4 * a * c, 0)));
  return x + Math.min(Math.max(xi, 0), 1) * widths[bin];
}

function sides(logits) {
  const most = Math.max(...logits);
  const shares = logits.map((value) => Math.exp(value - most));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => 2 * TAIL * (LEAST + (1 - LEAST * shares.length) * (share / sum)));
}
