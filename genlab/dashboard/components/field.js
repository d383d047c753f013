// The receptive field: how strongly the prediction of one pixel feels each pixel before it, and the masks of the layers.

export default mounts(createField);

function createField(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let shown = null;

  function show(data) {
    const [channels, height, width] = data.shape;
    shown = {
      ...data,
      channels,
      height,
      width,
      values: new Uint8Array(bytes(data.values)),
      felt: new Float32Array(bytes(data.felt)),
      seen: new Uint8Array(bytes(data.seen)),
    };
    paint();
    write();
    list();
  }

  function paint() {
    if (!shown) return;
    const { width, height, row, column } = shown;
    const canvas = part("map");
    // So many dots a pixel: enough for a hatching.
    const dots = Math.max(4, Math.floor(Math.min(part("seen").clientWidth, 320) / width));
    fitCanvas(canvas, width * dots, height * dots, width * dots);
    const [ink, paper] = inkAndPaper(canvas);
    const accent = channelsOf(getComputedStyle(canvas).borderColor);
    const blue = channelsOf(getComputedStyle(part("here")).outlineColor);
    const image = new ImageData(width * dots, height * dots);
    for (let y = 0; y < height * dots; y += 1) {
      for (let x = 0; x < width * dots; x += 1) {
        const pixel = Math.floor(y / dots) * width + Math.floor(x / dots);
        const hatched = (x + y) % 6 === 0;
        setPixel(image, x, y, colourAt(pixel, row * width + column, hatched, { ink, paper, accent, blue }));
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    place(part("here"), column / width, row / height, 1 / width, 1 / height);
  }

  function colourAt(pixel, here, hatched, { ink, paper, accent, blue }) {
    if (pixel > here) return mix(paper, ink, 0.08);
    const { channels, levels, values, felt, seen } = shown;
    const drawn = mix(paper, ink, (0.45 * values[pixel * channels]) / (levels - 1));
    if (pixel === here) return drawn;
    if (!seen[pixel]) return hatched ? mix(drawn, blue, 0.8) : drawn;
    return mix(drawn, accent, 0.12 + 0.88 * Math.sqrt(felt[pixel]));
  }

  function write() {
    const { row, column, counts, layers, pointwise } = shown;
    const blind = counts.earlier - counts.seen;
    const sentence =
      `To predict row ${row + 1}, column ${column + 1}, the model feels <b>${counts.seen}</b> of the ${counts.earlier} pixels before it` +
      (blind ? `; ${blind} are out of sight.` : ".") +
      ` Of the later ones it feels <b>${counts.leaked}</b>.`;
    if (part("sentence").innerHTML !== sentence) part("sentence").innerHTML = sentence;
    part("map").setAttribute("aria-label", part("sentence").textContent);
    part("note").textContent =
      `Crossed out: weights that the mask holds at zero. Mask A hides the pixel itself, mask B shows its features. ` +
      (layers.length ? `${pointwise} more convolutions are 1×1: they look at a pixel's own features alone. ` : "") +
      "“Sees” counts the image's pixels that a pixel of the layer can depend on.";
  }

  function list() {
    const items = shown.layers.map((layer) => {
      const item = document.createElement("li");
      const canvas = document.createElement("canvas");
      const [name, words] = [document.createElement("b"), document.createElement("span")];
      name.textContent = layer.name;
      const apart = layer.dilation > 1 ? ` (taps ${layer.dilation} apart)` : "";
      words.textContent = `${layer.size.join("×")}, mask ${layer.centre}${apart}: sees ${layer.reach}`;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${layer.name}: ${layer.live.filter(Boolean).length} of ${layer.live.length} taps alive`);
      item.append(canvas, name, words);
      return [item, canvas, layer];
    });
    part("layers").replaceChildren(...items.map(([item]) => item));
    items.forEach(([, canvas, layer]) => paintMask(canvas, layer));
  }

  const resized = new ResizeObserver(paint);
  resized.observe(part("seen"));

  function close() {
    resized.disconnect();
  }

  return { show, close };
}

// One kernel: live taps in the accent colour, by their root-mean-square weight; dead ones crossed out.
function paintMask(canvas, { size: [height, width], live, strength }) {
  const cell = Math.floor(56 / Math.max(height, width));
  fitCanvas(canvas, width * cell, height * cell, width * cell);
  const [accent, paper] = inkAndPaper(canvas);
  const ink = channelsOf(getComputedStyle(canvas.parentElement).color);
  const image = new ImageData(width * cell, height * cell);
  for (let y = 0; y < height * cell; y += 1) {
    for (let x = 0; x < width * cell; x += 1) {
      const tap = Math.floor(y / cell) * width + Math.floor(x / cell);
      const onCross = x % cell === y % cell || (x % cell) + (y % cell) === cell - 1;
      const colour = live[tap] ? mix(paper, accent, 0.15 + 0.85 * strength[tap]) : mix(paper, ink, onCross ? 0.3 : 0.04);
      setPixel(image, x, y, colour);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
