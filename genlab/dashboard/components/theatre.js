// The pixel theatre: plays records of images being drawn, one pixel after another.
//
// All images were drawn at once, in the same order (row by row, and within a pixel channel by channel). The records arrive
// once, as typed arrays in that order; while they play, nothing is asked of the server. Leaves out any knowledge of models.

const PAUSE_AT_THE_END = 1.8; // seconds in which the finished image can be looked at
const FACTORS_SHOWN = 4;

export default mounts(createTheatre);

function decode(data) {
  const [channels, height, width] = data.shape;
  return {
    ...data,
    channels,
    height,
    width,
    pixels: channels * height * width,
    values: new Uint8Array(bytes(data.values)),
    probabilities: new Uint16Array(bytes(data.probabilities)),
    bits: new Float32Array(bytes(data.bits)),
    entropy: new Float32Array(bytes(data.entropy)),
  };
}

function createTheatre(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let records = null;
  let chosen = 0; // which image is looked at closely
  let position = 0; // pixels drawn so far; the fraction is time

  function show(data) {
    const isNew = records?.id !== data.id;
    if (isNew) {
      records = decode(data);
      chosen = 0;
      part("scrub").max = records.pixels;
      paced();
      seek(player.wantsRest() ? records.pixels : 0);
      player.play(!player.wantsRest());
    }
    fit();
    paint();
  }

  function seek(pixels) {
    position = Math.max(0, Math.min(pixels, records.pixels));
    paint();
  }

  const player = createPlayer(part("play"), {
    begin: () => position >= records.pixels && seek(0),
    advance: (seconds) => {
      const before = Math.floor(position);
      const pixelsPerSecond = pace();
      position += seconds * pixelsPerSecond;
      if (position >= records.pixels + PAUSE_AT_THE_END * pixelsPerSecond) {
        choose((chosen + 1) % records.count);
        position = 0;
      }
      if (Math.floor(position) !== before && before < records.pixels + 1) paint();
    },
  });

  // From one pixel a second to the whole image in half a second.
  function pace() {
    return (2 * records.pixels) ** Number(part("speed").value);
  }

  function paced() {
    const words = pace() < 10 ? pace().toFixed(1) : Math.round(pace()).toString();
    part("pace").textContent = `${words} pixels/s`;
    part("speed").setAttribute("aria-valuetext", `${words} pixels a second`);
  }

  function lookAt(pixel) {
    const { id, width } = records;
    theatre.send("looked_at", { id, image: chosen, row: Math.floor(pixel / width), column: pixel % width });
  }

  function choose(index) {
    chosen = index;
    paint();
  }

  function step(pixels) {
    player.play(false);
    seek(Math.floor(position) + pixels);
  }

  function fit() {
    const { width, height } = records;
    const hero = part("hero").clientWidth;
    fitCanvas(part("picture"), width, height, Math.min(hero, 340));
    fitCanvas(part("spent"), width, height, Math.min(part("bits").clientWidth, 340));
    const wall = wallLayout();
    fitCanvas(part("others"), wall.width, wall.height, part("wall").clientWidth);
    part("bars").width = part("bars").clientWidth * devicePixelRatio;
    part("bars").height = part("bars").clientHeight * devicePixelRatio;
  }

  function wallLayout() {
    return wallOf(records.count, Math.min(records.count, part("wall").clientWidth > 640 ? 16 : 8), records);
  }

  function paint() {
    if (!records) return;
    const known = Math.min(Math.floor(position), records.pixels);
    const last = known - 1; // the pixel that was drawn most recently
    paintPicture(known, last);
    paintSpent(known);
    paintWall(known);
    paintBars(last);
    write(known, last);
  }

  function paintPicture(known, last) {
    const canvas = part("picture");
    const { width, height, channels } = records;
    const image = new ImageData(width, height);
    fillImage(image, 0, 0, valuesOf(chosen), known, records, inkAndPaper(canvas));
    canvas.getContext("2d").putImageData(image, 0, 0);
    const cursor = part("cursor");
    cursor.hidden = last < 0;
    const pixel = Math.floor(Math.max(last, 0) / channels);
    place(cursor, (pixel % width) / width, Math.floor(pixel / width) / height, 1 / width, 1 / height);
  }

  function paintSpent(known) {
    const canvas = part("spent");
    const { width, height, channels, pixels, bits } = records;
    const [ink, paper] = inkAndPaper(canvas);
    const image = new ImageData(width, height);
    const most = Math.max(1, ...bits.subarray(chosen * pixels, (chosen + 1) * pixels));
    for (let i = 0; i < known; i += 1) {
      const share = Math.sqrt(bits[chosen * pixels + i] / most);
      setPixel(image, Math.floor(i / channels) % width, Math.floor(i / channels / width), mix(paper, ink, share));
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function paintWall(known) {
    const canvas = part("others");
    const { columns, across, down, width, height } = wallLayout();
    const colours = inkAndPaper(canvas);
    const image = new ImageData(width, height);
    for (let n = 0; n < records.count; n += 1) {
      fillImage(image, (n % columns) * across, Math.floor(n / columns) * down, valuesOf(n), known, records, colours);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    const column = chosen % columns;
    const row = Math.floor(chosen / columns);
    place(part("chosen"), (column * across) / width, (row * down) / height, records.width / width, records.height / height);
  }

  function valuesOf(n) {
    return records.values.subarray(n * records.pixels, (n + 1) * records.pixels);
  }

  function paintBars(last) {
    const canvas = part("bars");
    const context = canvas.getContext("2d");
    const { levels, pixels, values, probabilities } = records;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (last < 0) return;
    const label = 14 * devicePixelRatio;
    const slot = canvas.width / levels;
    const bar = Math.max(1, Math.floor(slot * 0.8));
    const start = (chosen * pixels + last) * levels;
    const drawn = values[chosen * pixels + last];
    const heightOf = (probability) => Math.max(devicePixelRatio, probability * (canvas.height - 1.5 * label));
    const [plain, accent, quiet] = [colourOf(canvas), colourOf(part("surprise")), colourOf(part("where"))];
    context.font = `${label}px ${getComputedStyle(canvas).fontFamily}`;
    context.fillStyle = quiet;
    for (const [probability, words] of [[1, "1"], [0.5, "½"]]) {
      const y = Math.round(canvas.height - heightOf(probability));
      context.globalAlpha = 0.35;
      context.fillRect(0, y, canvas.width, devicePixelRatio);
      context.globalAlpha = 1;
      context.fillText(words, canvas.width - context.measureText(words).width, y - 0.25 * label);
    }
    for (let level = 0; level < levels; level += 1) {
      const height = heightOf(probabilities[start + level] / 65535);
      context.fillStyle = level === drawn ? accent : plain;
      context.fillRect(Math.round(level * slot + (slot - bar) / 2), canvas.height - height, bar, height);
    }
    // Above all bars, so that it never covers one.
    const text = records.real ? `it is ${drawn}` : `${drawn} was drawn`;
    const width = context.measureText(text).width;
    context.fillStyle = accent;
    context.fillText(text, Math.max(0, Math.min((drawn + 0.5) * slot - width / 2, canvas.width - width - 1.5 * label)), label);
  }

  function write(known, last) {
    const { pixels, levels, width, channels, values, bits, entropy } = records;
    const first = chosen * pixels;
    const spent = bits.subarray(first, first + known).reduce((sum, value) => sum + value, 0);
    const of = `${known} of ${pixels} ${channels > 1 ? "values" : "pixels"}`;
    const scrub = part("scrub");
    scrub.value = known;
    part("where").textContent = `${records.real ? "real digit" : "image"} ${chosen + 1}: ${of} ${records.real ? "read" : "drawn"}`;
    part("surprise").textContent = last < 0 ? "–" : `${bits[first + last].toFixed(2)} bits`;
    part("entropy").textContent = last < 0 ? "–" : `${entropy[first + last].toFixed(2)} bits`;
    part("total").textContent = `${spent.toFixed(1)} bits`;
    const dearest = bits.subarray(first, first + known).reduce((most, value) => Math.max(most, value), 0);
    part("dearest").textContent = known ? `where the bits went: up to ${dearest.toFixed(1)} on a pixel` : "where the bits will go";
    writeFactors(first, known);
    const row = Math.floor(last / channels / width) + 1;
    const column = (Math.floor(last / channels) % width) + 1;
    const sentence =
      last < 0
        ? `Nothing is ${records.real ? "read" : "drawn"} yet.`
        : `${of} ${records.real ? "read" : "drawn"}. Row ${row}, column ${column} ${records.real ? "is" : "became"} level ${values[first + last]} of ${levels - 1}, ` +
          `which had probability ${(2 ** -bits[first + last]).toFixed(3)}. ${spent.toFixed(1)} bits so far.`;
    scrub.setAttribute("aria-valuetext", sentence);
    part("picture").setAttribute("aria-label", `Image ${chosen + 1} of ${records.count}. ${sentence}`);
    part("bars").setAttribute("aria-label", `Probabilities of the ${levels} levels. ${sentence}`);
    part("spent").setAttribute("aria-label", `Bits spent on each pixel; ${spent.toFixed(1)} in all so far.`);
    part("others").setAttribute("aria-label", `${records.count} images ${records.real ? "read" : "drawn"} at the same time. ${of} so far.`);
    part("wall").querySelector("figcaption").textContent = records.caption;
  }

  function writeFactors(first, known) {
    const from = Math.max(0, known - FACTORS_SHOWN);
    const factors = Array.from(records.bits.subarray(first + from, first + known), (bits) => (2 ** -bits).toFixed(2));
    const newest = factors.pop();
    part("factors").innerHTML =
      newest === undefined ? "= 1 before the first pixel" : `= ${[...(from ? ["…"] : []), ...factors, `<b>${newest}</b>`].join(" · ")}`;
  }

  function point(event) {
    const { width, height } = records;
    const column = Math.floor((event.offsetX / event.target.clientWidth) * width);
    const row = Math.floor((event.offsetY / event.target.clientHeight) * height);
    lookAt(Math.min(Math.max(row, 0), height - 1) * width + Math.min(Math.max(column, 0), width - 1));
  }

  function pick(event) {
    const { columns, across, down, width, height } = wallLayout();
    const column = Math.floor(((event.offsetX / part("others").clientWidth) * width) / across);
    const row = Math.floor(((event.offsetY / part("others").clientHeight) * height) / down);
    choose(Math.min(row * columns + column, records.count - 1));
  }

  const resized = new ResizeObserver(() => {
    if (!records) return;
    fit();
    paint();
  });

  part("back").onclick = () => step(-1);
  part("forward").onclick = () => step(1);
  part("next").onclick = () => choose((chosen + 1) % records.count);
  part("others").onclick = pick;
  part("picture").onclick = point;
  part("spent").onclick = point;
  part("look").onclick = () => lookAt(Math.floor(Math.min(Math.max(Math.floor(position) - 1, 0), records.pixels - 1) / records.channels));
  part("speed").oninput = paced;
  part("scrub").oninput = (event) => {
    player.play(false);
    seek(Number(event.target.value));
  };
  resized.observe(part("stage"));

  function close() {
    player.close();
    resized.disconnect();
  }

  const theatre = { show, close };
  return theatre;
}
