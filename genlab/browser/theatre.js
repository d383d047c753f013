// The pixel theatre: plays records of images being drawn, one pixel after another.
//
// All images were drawn at once, in the same order (row by row, and within a pixel channel by channel). The records arrive
// once, as typed arrays in that order; while they play, nothing is asked of the server. Leaves out any knowledge of models.

const PAUSE_AT_THE_END = 1.8; // seconds in which the finished image can be looked at
const FRAME = 1 / 30; // seconds; a picture an eye can follow, at half the work of all frames
const FACTORS_SHOWN = 4;
const ON_THE_WALL = 112; // pixels at most that an image is wide there
const COLOURS = ["red", "green", "blue"];

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
  let sight = null; // what the pixel that was pointed at sees, once it was
  let sees = false; // whether that can be had
  let showsSight = false; // beside the picture, instead of the bits that were spent
  let wall = null; // how the images lie on it
  let sincePainted = 0; // seconds

  function show(data) {
    const isNew = records?.id !== data.id;
    if (isNew) {
      records = decode(data);
      chosen = data.image;
      part("scrub").max = records.pixels;
      paced();
      fit();
      seek(player.wantsRest() ? records.pixels : 0);
      player.play(!player.wantsRest());
    }
    sees = data.sees;
    const seen = data.sight && decodeSight(data.sight);
    if (seen && !isSameSight(seen, sight)) {
      showsSight = true;
      chosen = seen.image;
    }
    sight = seen;
    fit();
    paint();
  }

  function isSameSight(one, other) {
    return Boolean(other) && ["image", "row", "column"].every((name) => one[name] === other[name]);
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
      sincePainted += seconds;
      // Slow play shows every pixel at once; quick play what a frame holds, and the finished image.
      if (Math.floor(position) === before || before >= records.pixels + 1) return;
      if (sincePainted >= FRAME || position >= records.pixels) paint();
    },
  });

  // From one pixel a second to the whole image in half a second.
  function pace() {
    return (2 * records.pixels) ** Number(part("speed").value);
  }

  function paced() {
    const words = pace() < 10 ? pace().toFixed(1) : Math.round(pace()).toString();
    const drawn = records.channels > 1 ? "values" : "pixels";
    part("pace").textContent = `${words} ${drawn}/s`;
    part("speed").setAttribute("aria-valuetext", `${words} ${drawn} a second`);
  }

  function lookAt(pixel) {
    const { id, width } = records;
    showsSight = sees;
    theatre.send("looked_at", { id, image: chosen, row: Math.floor(pixel / width), column: pixel % width });
  }

  function choose(index) {
    chosen = index;
    paint();
  }

  // An image that the visitor picks is the one that is looked at from then on; one that the play comes to is not.
  function pickImage(index) {
    choose(index);
    if (sight) lookAt(sight.row * records.width + sight.column);
  }

  // So many values are there: of a pixel that is drawn as one, all its channels or none.
  function settled() {
    return Math.min(Math.floor(position / records.together) * records.together, records.pixels);
  }

  function step(pixels) {
    player.play(false);
    seek(settled() + pixels * records.together);
  }

  function fit() {
    const { width, height } = records;
    const hero = part("hero").clientWidth;
    fitCanvas(part("picture"), width, height, Math.min(hero, 340));
    fitCanvas(part("spent"), width, height, beside());
    const room = part("wall").clientWidth;
    wall = wallOf(records.count, Math.min(records.count, room > 640 ? 16 : 8), records);
    fitCanvas(part("others"), wall.width, wall.height, Math.min(room, records.count * ON_THE_WALL));
    part("bars").width = part("bars").clientWidth * devicePixelRatio;
    part("bars").height = part("bars").clientHeight * devicePixelRatio;
  }

  function beside() {
    return Math.min(part("bits").clientWidth, 340);
  }

  function paint() {
    if (!records) return;
    sincePainted = 0;
    const known = settled();
    const last = known - 1; // the pixel that was drawn most recently
    paintPicture(known, last);
    paintBeside(known);
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

  function paintBeside(known) {
    part("views").hidden = part("look").hidden = !sees;
    const seeing = showsSight && Boolean(sight);
    part("view-bits").setAttribute("aria-pressed", String(!seeing));
    part("view-sight").setAttribute("aria-pressed", String(seeing));
    part("spending").hidden = seeing;
    part("seeing").hidden = !seeing;
    if (seeing) paintSeeing();
    else paintSpent(known);
  }

  function paintSeeing() {
    const { row, column, width, height } = sight;
    paintSight(part("sight"), sight, beside(), channelsOf(getComputedStyle(part("here")).outlineColor));
    place(part("here"), column / width, row / height, 1 / width, 1 / height);
    const words = sightInWords(sight);
    if (part("dearest").innerHTML !== words) part("dearest").innerHTML = words;
    part("sight").setAttribute("aria-label", part("dearest").textContent);
  }

  function paintSpent(known) {
    const canvas = part("spent");
    const { width, height, pixels } = records;
    const [ink, paper] = inkAndPaper(canvas);
    const image = new ImageData(width, height);
    const most = Math.max(1, ...spentOn(pixels));
    const spent = spentOn(known);
    spent.forEach((bits, pixel) => {
      setPixel(image, pixel % width, Math.floor(pixel / width), mix(paper, ink, Math.sqrt(bits / most)));
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    const dearest = spent.reduce((least, bits) => Math.max(least, bits), 0);
    part("dearest").textContent = known ? `where the bits went: up to ${dearest.toFixed(1)} on a pixel` : "where the bits will go";
    canvas.setAttribute("aria-label", `Bits spent on each pixel, ${dearest.toFixed(1)} at most.`);
  }

  // Bits of each pixel of the chosen image, all its channels together, as far as its first `known` values go.
  function spentOn(known) {
    const { channels, pixels, bits } = records;
    const spent = new Float32Array(Math.ceil(known / channels));
    for (let i = 0; i < known; i += 1) spent[Math.floor(i / channels)] += bits[chosen * pixels + i];
    return spent;
  }

  function paintWall(known) {
    const canvas = part("others");
    const { columns, across, down, width, height } = wall;
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
    part("where").textContent = `${records.real ? "real image" : "image"} ${chosen + 1}: ${of} ${records.real ? "read" : "drawn"}`;
    const newest = (figures) => figures.subarray(first + known - records.together, first + known).reduce((sum, value) => sum + value, 0);
    part("surprise").textContent = last < 0 ? "–" : `${newest(bits).toFixed(2)} bits`;
    part("entropy").textContent = last < 0 ? "–" : `${newest(entropy).toFixed(2)} bits`;
    part("total").textContent = `${spent.toFixed(1)} bits`;
    const channel = channelName(Math.max(last, 0) % channels);
    part("expected").textContent = `What the model expects of this pixel${channel && `: its ${channel}`}`;
    part("least").textContent = channels === 1 ? "level 0: paper" : `level 0: no ${channel}`;
    part("most").textContent = channels === 1 ? "ink" : `level ${levels - 1}: all ${channel}`;
    writeFactors(first, known);
    const row = Math.floor(last / channels / width) + 1;
    const column = (Math.floor(last / channels) % width) + 1;
    const sentence =
      last < 0
        ? `Nothing is ${records.real ? "read" : "drawn"} yet.`
        : `${of} ${records.real ? "read" : "drawn"}. Row ${row}, column ${column}${channel && `, ${channel},`} ${records.real ? "is" : "became"} level ${values[first + last]} of ${levels - 1}, ` +
          `which had probability ${(2 ** -bits[first + last]).toFixed(3)}. ${spent.toFixed(1)} bits so far.`;
    scrub.setAttribute("aria-valuetext", sentence);
    part("picture").setAttribute("aria-label", `Image ${chosen + 1} of ${records.count}. ${sentence}`);
    part("bars").setAttribute("aria-label", `Probabilities of the ${levels} levels. ${sentence}`);
    part("others").setAttribute("aria-label", `${records.count} images ${records.real ? "read" : "drawn"} at the same time. ${of} so far.`);
    part("wall").querySelector("figcaption").textContent = records.caption;
  }

  // What one of several channels is called; nothing, if there is only one.
  function channelName(channel) {
    if (records.channels === 1) return "";
    return records.channels === COLOURS.length ? COLOURS[channel] : `channel ${channel + 1}`;
  }

  function writeFactors(first, known) {
    const from = Math.max(0, known - FACTORS_SHOWN);
    const factors = Array.from(records.bits.subarray(first + from, first + known), (bits) => (2 ** -bits).toFixed(2));
    const newest = factors.pop();
    part("factors").innerHTML =
      newest === undefined ? "= 1 before the first pixel" : `= ${[...(from ? ["…"] : []), ...factors, `<b>${newest}</b>`].join(" · ")}`;
  }

  function lookHere() {
    lookAt(Math.floor(Math.min(Math.max(Math.floor(position) - 1, 0), records.pixels - 1) / records.channels));
  }

  function point(event) {
    const { width, height } = records;
    const column = Math.floor((event.offsetX / event.target.clientWidth) * width);
    const row = Math.floor((event.offsetY / event.target.clientHeight) * height);
    lookAt(Math.min(Math.max(row, 0), height - 1) * width + Math.min(Math.max(column, 0), width - 1));
  }

  function pick(event) {
    const { columns, across, down, width, height } = wall;
    const column = Math.floor(((event.offsetX / part("others").clientWidth) * width) / across);
    const row = Math.floor(((event.offsetY / part("others").clientHeight) * height) / down);
    pickImage(Math.min(row * columns + column, records.count - 1));
  }

  const resized = new ResizeObserver(() => {
    if (!records) return;
    fit();
    paint();
  });

  part("back").onclick = () => step(-1);
  part("forward").onclick = () => step(1);
  part("next").onclick = () => pickImage((chosen + 1) % records.count);
  part("others").onclick = pick;
  part("picture").onclick = point;
  part("spent").onclick = point;
  part("sight").onclick = point;
  part("look").onclick = lookHere;
  part("view-bits").onclick = () => {
    showsSight = false;
    paint();
  };
  part("view-sight").onclick = () => {
    showsSight = true;
    if (sight) paint();
    else lookHere();
  };
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
