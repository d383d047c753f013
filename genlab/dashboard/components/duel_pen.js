// Drawing points into the plane, by mouse, finger or keyboard.

const EDGE = 1.5; // of what can be drawn
const PEN_STEP = 0.08; // between two points of a stroke
const [STEP, FAR_STEP] = [0.05, 0.2]; // of the cross

// `isDrawing()`: whether there is anything to be drawn; `grain()`: places in a unit; `add(place)`, `takeBack()` and at the end of a stroke
// `done()` change the drawing; `moved()`: the cross has.
function createPen(canvas, { isDrawing, placeOf, grain, add, takeBack, done, moved }) {
  let last = null; // of the stroke
  let cross = [0, 0];

  const within = (value) => Math.max(-EDGE, Math.min(EDGE, Math.round(grain() * value) / grain()));
  const put = (place) => add(place.map(within));

  canvas.onpointerdown = (event) => {
    if (!isDrawing()) return;
    last = placeOf(event);
    canvas.setPointerCapture(event.pointerId);
    put(last);
  };
  canvas.onpointermove = (event) => {
    const place = last && placeOf(event);
    if (!last || Math.hypot(place[0] - last[0], place[1] - last[1]) < PEN_STEP) return;
    last = place;
    put(place);
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (last) done();
    last = null;
  };
  canvas.onkeydown = (event) => {
    const far = event.shiftKey ? FAR_STEP : STEP;
    const way = { ArrowUp: [0, far], ArrowDown: [0, -far], ArrowLeft: [-far, 0], ArrowRight: [far, 0] }[event.key];
    const sets = event.key === "Enter" || event.key === " ";
    if (!isDrawing() || (!way && !sets && event.key !== "Backspace")) return;
    event.preventDefault();
    if (way) cross = cross.map((value, i) => within(value + way[i]));
    else if (sets) put(cross);
    else takeBack();
    if (way) moved();
    else done();
  };
  canvas.onfocus = canvas.onblur = () => moved();

  return { cursor: () => (isDrawing() && canvas.matches(":focus-visible") ? cross : null) };
}
