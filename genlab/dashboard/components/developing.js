// Images on their way: stations were computed by the model and sent once; between two they fade.

const SECONDS = 6; // from noise to data
const LARGE = 96; // CSS pixels of an image, at most
const LEAST = 52;

export default mounts(function createDeveloping(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let data = null;
  let place = 0; // in stations

  function show(received) {
    if (data?.id !== received.id) {
      const [channels, height, width] = received.shape;
      const values = (text) => new Uint8Array(bytes(text));
      data = { ...received, channels, height, width, levels: 256, images: values(received.images), expected: values(received.expected) };
      part("scrub").max = data.stations - 1;
      seek(player.wantsRest() ? data.stations - 1 : 0);
      player.play(!player.wantsRest());
    }
    paint();
  }

  const player = createPlayer(part("play"), {
    begin: () => place >= data.stations - 1 && seek(0),
    advance: (seconds) => {
      seek(place + (seconds * (data.stations - 1)) / SECONDS);
      if (place >= data.stations - 1) player.play(false);
    },
  });

  function seek(wanted) {
    place = Math.max(0, Math.min(wanted, data.stations - 1));
    const time = place / (data.stations - 1);
    const words = time === 0 ? "t = 0, noise" : time === 1 ? "t = 1, data" : `t = ${time.toFixed(2)}`;
    part("scrub").value = place;
    part("scrub").setAttribute("aria-valuetext", words);
    part("where").textContent = words;
    paint();
  }

  // As many to a row as leave none too small; rows are whole where that is possible.
  function columns(available) {
    const most = Math.max(1, Math.min(data.count, Math.floor(available / LEAST)));
    return Array.from({ length: most }, (_, n) => most - n).find((each) => data.count % each === 0 && 2 * each > most) ?? most;
  }

  function paint() {
    if (!data) return;
    const available = root.querySelector(".developing").clientWidth;
    const across = columns(available);
    const size = data.height * data.width * data.channels;
    const [from, to] = [Math.floor(place), Math.min(Math.floor(place) + 1, data.stations - 1)];
    for (const name of ["images", "expected"]) {
      const canvas = part(name);
      const wall = wallOf(data.count, across, data);
      fitCanvas(canvas, wall.width, wall.height, Math.min(available, across * LARGE));
      const colours = inkAndPaper(canvas);
      const picture = new ImageData(wall.width, wall.height);
      for (let n = 0; n < data.count; n += 1) {
        const values = new Uint8Array(size);
        const [before, after] = [(from * data.count + n) * size, (to * data.count + n) * size];
        for (let i = 0; i < size; i += 1) values[i] = data[name][before + i] + (data[name][after + i] - data[name][before + i]) * (place - from);
        fillImage(picture, (n % across) * wall.across, Math.floor(n / across) * wall.down, values, size, data, colours);
      }
      canvas.getContext("2d").putImageData(picture, 0, 0);
      canvas.setAttribute("aria-label", `${data.count} images at ${part("where").textContent}, ${name === "images" ? "as they are" : "where they are heading"}`);
    }
  }

  part("scrub").oninput = (event) => {
    player.play(false);
    seek(Number(event.target.value));
  };

  const resized = new ResizeObserver(paint);
  resized.observe(root.querySelector(".developing"));

  return {
    show,
    close() {
      resized.disconnect();
      player.close();
    },
  };
});
