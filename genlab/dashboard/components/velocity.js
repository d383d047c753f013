// A velocity field in the browser: a network of dense layers with SiLUs between them, told sines and cosines of the time, and the solvers
// that follow it. It knows nothing of the page. tests/test_matching_page.py holds it to the model's own paths.

// `velocity(points, time, slopes)` writes v(x, t) of points (x, y, x, y, …) into an array as long.
function createField({ sizes, frequencies, weights }) {
  let at = 0;
  const take = (count) => weights.subarray(at, (at += count));
  const layers = sizes.slice(1).map((outputs, i) => ({ inputs: sizes[i], outputs, weight: take(sizes[i] * outputs), bias: take(outputs), values: new Float64Array(outputs) }));
  const [size, hidden] = [sizes.at(-1), layers.slice(1)];
  const first = layers[0];
  const shift = new Float64Array(first.outputs); // what the time adds to the first layer, the same for all points

  function tell(time) {
    for (let row = 0; row < first.outputs; row += 1) {
      const from = row * first.inputs + size;
      let sum = first.bias[row];
      for (let k = 0; k < frequencies; k += 1) {
        const angle = Math.PI * (k + 1) * time;
        sum += first.weight[from + k] * Math.sin(angle) + first.weight[from + frequencies + k] * Math.cos(angle);
      }
      shift[row] = sum;
    }
  }

  function velocity(points, time, slopes = new Float64Array(points.length)) {
    tell(time);
    for (let n = 0; n < points.length; n += size) {
      for (let row = 0; row < first.outputs; row += 1) {
        let sum = shift[row];
        for (let i = 0; i < size; i += 1) sum += first.weight[row * first.inputs + i] * points[n + i];
        first.values[row] = hidden.length ? sum / (1 + Math.exp(-sum)) : sum;
      }
      let values = first.values;
      hidden.forEach((layer, i) => (values = through(layer, values, i === hidden.length - 1)));
      for (let i = 0; i < size; i += 1) slopes[n + i] = values[i];
    }
    return slopes;
  }

  return velocity;
}

function through({ inputs, outputs, weight, bias, values: results }, values, isLast) {
  for (let row = 0, at = 0; row < outputs; row += 1) {
    let sum = bias[row];
    for (let i = 0; i < inputs; i += 1, at += 1) sum += weight[at] * values[i];
    results[row] = isLast ? sum : sum / (1 + Math.exp(-sum));
  }
  return results;
}

// Where points are after each of so many steps of a solver (genlab/models/continuous/solver.py), the start first.
function follow(velocity, points, { nodes, weights }, steps, start = 0) {
  const step = (1 - start) / steps;
  const found = [Float64Array.from(points)];
  for (let number = 0; number < steps; number += 1) {
    const [here, time] = [found.at(-1), start + number * step];
    const next = here.slice();
    let slopes = new Float64Array(here.length);
    nodes.forEach((node, stage) => {
      const asked = here.map((value, i) => value + step * node * slopes[i]);
      slopes = velocity(asked, time + step * node);
      for (let i = 0; i < next.length; i += 1) next[i] += step * weights[stage] * slopes[i];
    });
    found.push(next);
  }
  return found;
}

// How long the ways of points are beside the straight lines between their ends, all ways together.
function detourOf(stations) {
  const first = stations[0];
  let ways = 0;
  for (let i = 1; i < stations.length; i += 1) ways += apartOf(stations[i], stations[i - 1]);
  return ways / Math.max(1e-9, apartOf(stations.at(-1), first));
}

// The mean distance of points from where others are.
function apartOf(ours, theirs) {
  let sum = 0;
  for (let n = 0; n < ours.length; n += 2) sum += Math.hypot(ours[n] - theirs[n], ours[n + 1] - theirs[n + 1]);
  return sum / (ours.length / 2);
}
