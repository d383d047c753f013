// Prior, encoder and decoder at one image: q(z | x) can be set by hand, a code is drawn or pointed at, and the bound on log p(x) splits
// into what it is made of. All of it is computed here from the decoder's weights.

const LOG_2_PI = Math.log(2 * Math.PI);
const RINGS = [1, 2, 3];
const PRIOR_REACH = 3.5;
const KNOB = { mean: [-PRIOR_REACH, PRIOR_REACH, 0.01], log_std: [-4, 0.5, 0.01], weight: [0, 4, 0.05] };

export default mounts(function createElbo(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const close = part("close");
  let shown = null;
  let decoder = null;
  let mean = [];
  let std = [];
  let weight = 1; // of the KL: β
  let z = [];
  let knobs = [];
  let frame = 0;
  let meanings = {};
  let lit = { held: null, near: null }; // the term of the formula that was pressed, and the one under pointer or focus

  function show(data) {
    if (shown?.decoder.id !== data.decoder.id) decoder = createDecoder(data.decoder);
    if (shown?.id !== data.id) {
      shown = { ...data, image: { ...decoder.image, levels: data.decoder.levels }, ink: new Uint8Array(bytes(data.ink)) };
      shown.nodes = split(new Float32Array(bytes(data.nodes)), data.mean.length);
      shown.weights = new Float32Array(bytes(data.weights));
      shown.heat = data.posterior && new Float32Array(bytes(data.posterior.values));
      part("true").hidden = !shown.heat;
      buildKnobs();
      reset();
      shown.gap = shown.exact && shown.exact.value - bound().elbo;
    }
    paint();
  }

  const split = (values, size) => Array.from({ length: values.length / size }, (_, n) => values.subarray(n * size, (n + 1) * size));

  function reset() {
    mean = [...shown.mean];
    std = [...shown.std];
    weight = 1;
    z = [...mean];
  }

  // --- the numbers --------------------------------------------------------------------------------------------------------------

  const normal = (value, centre, width) => -0.5 * (LOG_2_PI + ((value - centre) / width) ** 2) - Math.log(width);
  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  // log q(z | x), log p(z), log p(x | z).
  function logs() {
    return {
      q: total(z.map((value, i) => normal(value, mean[i], std[i]))),
      p: total(z.map((value) => normal(value, 0, 1))),
      x: decoder.logLikelihood(shown.ink, z),
    };
  }

  // E_q log p(x | z), at nodes that stand for all of q; and KL(q ‖ p) of each latent, by its formula.
  function bound() {
    const values = shown.nodes.map((node) => decoder.logLikelihood(shown.ink, mean.map((centre, i) => centre + std[i] * node[i])));
    const reconstruction = total(values.map((value, n) => value * shown.weights[n]));
    const kl = mean.map((centre, i) => 0.5 * (centre ** 2 + std[i] ** 2 - 1) - Math.log(std[i]));
    return { reconstruction, kl, elbo: reconstruction - total(kl) };
  }

  // --- what is painted ----------------------------------------------------------------------------------------------------------

  function paint() {
    if (!shown || !part("machine").clientWidth) return;
    paintPicture(part("image"), shown.ink, shown.image, 140);
    paintKnobs();
    paintBound();
    paintCode();
  }

  function paintCode() {
    const { q, p, x } = logs();
    paintPicture(part("decoded"), decoder.picture(z), decoder.image, 140);
    part("log-q").textContent = `log q(z | x) = ${signed(q)}`;
    part("log-p").textContent = `log p(z) = ${signed(p)}`;
    part("log-x").textContent = `log p(x | z) = ${signed(x)}`;
    part("sum").textContent =
      `At this z: log p(x | z) + log p(z) − log q(z | x) = ${signed(x)} ${added(p)} ${added(-q)} = ${signed(x + p - q)} nats. Averaged over z from q, this is the ELBO.`;
    paintPlane(part("prior"), [-PRIOR_REACH, PRIOR_REACH], [-PRIOR_REACH, PRIOR_REACH], false);
    paintPlane(close, ...shown.window, true);
    const where = shown.axes.map((axis, n) => `${shown.names[n]} = ${signed(z[axis])}`).join(", ");
    part("prior").setAttribute("aria-label", `The prior as rings, and q within it; ${where}`);
    close.setAttribute("aria-label", `${where}; log p(x | z) is ${signed(x)}`);
  }

  const added = (value) => (value < 0 ? `− ${signed(-value)}` : `+ ${signed(value)}`);

  function paintPlane(canvas, across, up, isClose) {
    const side = canvas.clientWidth;
    canvas.width = canvas.height = Math.round(side * devicePixelRatio);
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(root.querySelector(".elbo"));
    const [ink, accent, blue] = ["--st-text-color", "--st-orange-color", "--st-blue-color"].map((name) => style.getPropertyValue(name));
    pen.scale(devicePixelRatio, devicePixelRatio);
    const scale = side / (across[1] - across[0]);
    const x = (value) => (value - across[0]) * scale;
    const y = (value) => (up[1] - value) * scale;
    if (isClose && shown.heat) paintHeat(pen, side, accent);
    const [first, second] = shown.axes;
    const ring = (centre, wide, high) => {
      pen.beginPath();
      pen.ellipse(x(centre[0]), y(centre[1]), wide * scale, high * scale, 0, 0, 2 * Math.PI);
      pen.stroke();
    };
    pen.strokeStyle = ink;
    pen.globalAlpha = 0.35;
    for (const radius of RINGS) ring([0, 0], radius, radius);
    pen.globalAlpha = 1;
    pen.strokeStyle = pen.fillStyle = blue;
    pen.lineWidth = 2;
    for (const width of isClose ? [1, 2] : [2]) ring([mean[first], mean[second]], width * std[first], width * std[second]);
    pen.fillStyle = ink;
    pen.beginPath();
    pen.arc(x(z[first]), y(z[second]), 4, 0, 2 * Math.PI);
    pen.fill();
  }

  function paintHeat(pen, side, accent) {
    const { count } = shown.posterior;
    const small = new OffscreenCanvas(count, count);
    const picture = new ImageData(count, count);
    const colour = channelsOf(asRgb(accent));
    shown.heat.forEach((value, i) => picture.data.set([...colour, 255 * value], 4 * i));
    small.getContext("2d").putImageData(picture, 0, 0);
    pen.drawImage(small, 0, 0, side, side);
  }

  // What the browser makes of a colour, however it is written.
  function asRgb(colour) {
    part("verdict").style.outlineColor = colour;
    return getComputedStyle(part("verdict")).outlineColor;
  }

  function paintBound() {
    const { reconstruction, kl, elbo } = bound();
    const pieces = [
      { words: "reconstruction", value: -reconstruction, isKl: false },
      ...kl.map((value, i) => ({ words: `KL of z${i + 1}`, value: weight * value, isKl: true })),
    ];
    const cost = total(pieces.map((piece) => piece.value));
    const most = 1.25 * Math.max(shown.usual, cost / 1.2);
    part("bar").replaceChildren(
      ...pieces.map(({ words, value, isKl }) => {
        const piece = document.createElement("span");
        piece.dataset.parts = isKl ? "kl" : "reconstruction";
        piece.style.width = `${(100 * value) / most}%`;
        piece.className = isKl ? "kl" : "";
        piece.textContent = value / most > 0.045 ? `\u2002${isKl ? "KL" : words}\n\u2002${signed(value, 1)}` : "";
        return piece;
      }),
    );
    const mark = part("mark");
    mark.hidden = !shown.exact;
    if (shown.exact) {
      mark.style.left = `${(-100 * shown.exact.value) / most}%`;
      mark.firstChild.textContent = `−log p(x) = ${signed(-shown.exact.value, 2)}`;
    }
    const inWords = pieces.map(({ words, value }) => `${words} ${signed(value, 1)}`).join(", ");
    root.querySelector(".bars").setAttribute("aria-label", `The bound in nats: ${inWords}.`);
    paintGaps(elbo);
    part("verdict").textContent = verdict(elbo, total(kl));
    meanings = {
      evidence: `How probable the image is, in nats${shown.exact ? `: ${signed(shown.exact.value, 1)}` : ""}. All z that could lie behind it have a part in it.`,
      reconstruction: `How well x comes back, averaged over the z that q gives: ${signed(reconstruction, 1)} nats.`,
      kl: `What the code costs, by how much q is narrower than the prior, and aside: ${signed(total(kl), 1)} nats.`,
      gap: `By how much q misses the true posterior${shown.exact ? `: ${signed(Math.max(0, shown.exact.value - elbo), 2)} nats` : ""}. It is never below 0, so what stands before it is a lower bound.`,
    };
    light();
  }

  function verdict(elbo, kl) {
    const bounded = `−ELBO = ${signed(-elbo, 2)} nats, of which KL(q ‖ prior) is ${signed(kl, 2)}.`;
    if (weight !== 1) return `${bounded} With β = ${signed(weight)} the bar is what β times the KL would make of it: no bound on log p(x) any more.`;
    if (!shown.exact) return bounded;
    const error = shown.exact.error < 0.001 ? "less than 0.001" : shown.exact.error.toFixed(3);
    const nats = signed(Math.max(0, shown.exact.value - elbo), 2);
    return `${bounded} Integrated, −log p(x) is ${signed(-shown.exact.value, 2)} (error ${error}). The rest, ${nats}, is KL(q ‖ p(z | x)): by so much q misses the true posterior.`;
  }

  function paintGaps(elbo) {
    part("gaps").hidden = !shown.exact || weight !== 1;
    if (part("gaps").hidden) return;
    const gaps = { mine: Math.max(0, shown.exact.value - elbo), theirs: Math.max(0, shown.gap) };
    const most = Math.max(2 * gaps.theirs, gaps.mine, 0.01);
    for (const [name, gap] of Object.entries(gaps)) {
      part(name).style.width = `${(100 * gap) / most}%`;
      part(`${name}-nats`).textContent = `${signed(gap, 3)} nats`;
    }
  }

  // --- the formula: a term shows where it is ------------------------------------------------------------------------------------

  function light() {
    const term = lit.near ?? lit.held;
    for (const each of root.querySelectorAll("[data-parts]")) each.classList.toggle("dim", Boolean(term) && !each.dataset.parts.split(" ").includes(term));
    for (const each of root.querySelectorAll("[data-term]")) each.setAttribute("aria-pressed", String(each.dataset.term === lit.held));
    part("meaning").textContent = term ? meanings[term] : "Point at a term: its part of the picture lights up.";
  }

  for (const each of root.querySelectorAll("[data-term]")) {
    const near = (term) => () => {
      lit.near = term;
      light();
    };
    each.onpointerenter = each.onfocus = near(each.dataset.term);
    each.onpointerleave = each.onblur = near(null);
    each.onclick = () => {
      lit.held = lit.held === each.dataset.term ? null : each.dataset.term;
      light();
    };
  }

  // --- what the visitor does ----------------------------------------------------------------------------------------------------

  function buildKnobs() {
    knobs = shown.axes.flatMap((axis, n) => [
      knob(`μ${shown.names[n].slice(1)}`, `mean of ${shown.names[n]}`, KNOB.mean, () => mean[axis], (value) => (mean[axis] = value)),
      knob(`σ${shown.names[n].slice(1)}`, `spread of ${shown.names[n]}`, KNOB.log_std, () => Math.log(std[axis]), (value) => (std[axis] = Math.exp(value)), Math.exp),
    ]);
    knobs.push(knob("β", "weight of the KL", KNOB.weight, () => weight, (value) => (weight = value)));
    part("knobs").replaceChildren(...knobs.map(({ node }) => node));
  }

  function knob(symbol, words, [min, max, step], read, write, meant = (value) => value) {
    const node = document.createElement("label");
    node.innerHTML = `<span>${symbol}</span><input type="range" min="${min}" max="${max}" step="${step}"><output></output>`;
    const [range, output] = [node.querySelector("input"), node.querySelector("output")];
    range.setAttribute("aria-label", words);
    range.oninput = () => {
      const before = [...mean];
      write(Number(range.value));
      z = z.map((value, i) => value + mean[i] - before[i]); // the code that is looked at goes along
      soon(paint);
    };
    function tell() {
      range.value = read();
      output.textContent = signed(meant(read()));
      range.setAttribute("aria-valuetext", signed(meant(read())));
    }
    return { node, tell };
  }

  function paintKnobs() {
    for (const { tell } of knobs) tell();
  }

  function soon(work) {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(work);
  }

  function lookAt(at) {
    shown.axes.forEach((axis, n) => (z[axis] = Math.min(Math.max(at[n], shown.window[n][0]), shown.window[n][1])));
    soon(paintCode);
  }

  close.onpointermove = (event) => {
    const box = close.getBoundingClientRect();
    const [across, up] = shown.window;
    lookAt([
      across[0] + ((event.clientX - box.left) / box.width) * (across[1] - across[0]),
      up[1] - ((event.clientY - box.top) / box.height) * (up[1] - up[0]),
    ]);
  };
  close.onpointerdown = close.onpointermove;
  close.onkeydown = (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!way) return;
    lookAt(shown.axes.map((axis, n) => z[axis] + (way[n] * (shown.window[n][1] - shown.window[n][0])) / 40));
    event.preventDefault();
  };
  part("draw").onclick = () => {
    z = mean.map((centre, i) => centre + std[i] * gaussian());
    paintCode();
  };
  part("reset").onclick = () => {
    reset();
    paint();
  };

  const resized = new ResizeObserver(paint);
  resized.observe(part("machine"));

  return {
    show,
    close: () => {
      cancelAnimationFrame(frame);
      resized.disconnect();
    },
  };
});

// Box and Muller 1958.
function gaussian() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
