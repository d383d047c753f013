// The receptive field: how strongly the prediction of one pixel feels each pixel before it, and the masks of the layers.

export default mounts(createField);

function createField(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let shown = null;

  function show(data) {
    shown = decodeSight(data);
    paint();
    write();
    list();
  }

  function paint() {
    if (!shown) return;
    paintSight(part("map"), shown, Math.min(part("seen").clientWidth, 320), channelsOf(getComputedStyle(part("here")).outlineColor));
    place(part("here"), shown.column / shown.width, shown.row / shown.height, 1 / shown.width, 1 / shown.height);
  }

  function write() {
    const { layers, pointwise } = shown;
    const sentence = sightInWords(shown);
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
      name.textContent = layer.name.replaceAll("_", "_\u200b"); // a long name breaks where its words end
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
