// The 2-D GAN lab. The game of gan.js is played picture by picture. Whatever is played and changed is written down (`state.done`), so that the
// same start and the same list lead to the same situation again, on any visit: that is what the address holds.

const BATCH = 64;
const SHOWN = 160; // real points
const LOOKED_AT = 2500; // samples behind the modes found, as in the tables of the literature
const LOOK_EVERY = 12; // pictures
const PICTURE_MS = 14; // of training within a picture, at most
const CATCH_UP_MS = 40; // the same while a link's steps are made again
const REST = 400; // steps made at once for those who want no motion
const SCENE_SECONDS = 2.5;
const TELL_AFTER_MS = 300;
const VERDICTS = 5; // of D, that slow motion writes beside points

export default mounts(function createDuel(root) {
  const part = (name) => root.querySelector(`.${name}`);
  let data = null; // what Python sent
  let known = ""; // the state that Python and the browser last agreed on
  let sent = 0;
  let timer = 0;
  let state = null; // {situation, settings, done, points}: the start, and what was done since
  let settings = null; // as they are now
  let game = null;
  let todo = []; // of a link, what is still to be done again
  let step = 0;
  let scene = null; // of slow motion: its index, since when, and what is seen
  let isSlow = false;
  let pace = 3;
  let latest = {}; // what each player told of its newest move
  let modes = null;
  let records = null;
  let pictures = 0;
  let times = []; // of the pictures of the last second

  // --- from Python, and to it ---

  function show(received) {
    const isFirst = data === null;
    if (isFirst) build(received);
    data = { ...received, points: data?.points ?? received.points };
    const text = JSON.stringify(data.state);
    // The visitor may be further than the page, which hears of it a little later.
    if (!isFirst && ((data.heard ?? -1) < sent || text === known)) return paint();
    known = text;
    state = data.state;
    begin();
  }

  function tell() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      known = JSON.stringify(state);
      sent += 1;
      duel.send("told", { number: sent, state, turns: records.turns, looks: records.looks });
    }, TELL_AFTER_MS);
  }

  // --- the game ---

  function begin() {
    player.play(false);
    todo = state.done.map((each) => [...each]);
    state = { ...state, done: [] };
    settings = { ...state.settings, batch: BATCH };
    game = createGame(settings);
    [step, scene, latest, records] = [0, null, {}, createRecords()];
    measure();
    showControls();
    if (todo.length || player.wantsRest()) catchUp(todo.length ? todo : [[REST, "b"]]);
    else player.play(true);
    paint();
  }

  const points = () => (settings.data === "drawn" ? Float64Array.from(state.points) : data.points[settings.data].values);
  const truth = () => data.points[settings.data]?.modes ?? null;

  // One step: D's moves and G's ("b"), or one of D ("d") or of G ("g") alone.
  function turn(kind) {
    const real = points();
    if (kind === "d") latest.d = moveD(game, settings, drawSeen(game, settings, real));
    if (kind === "b") for (let i = 0; i < settings.moves; i += 1) latest.d = moveD(game, settings, drawSeen(game, settings, real));
    if (kind !== "d") latest.g = moveG(game, settings, drawSeen(game, settings, real));
    counted(kind);
  }

  function counted(kind) {
    step += 1;
    records.add(step, latest);
    const last = state.done.at(-1);
    if (last?.[1] === kind) last[0] += 1;
    else state.done.push([1, kind]);
  }

  // A setting is changed in mid-run, or if nothing was done yet, at the start.
  function set(changes) {
    stopCatchingUp();
    endTurn();
    Object.assign(settings, changes);
    if (step) state.done.push(...Object.entries(changes));
    else Object.assign(state.settings, changes);
    showControls();
    paint();
    tell();
  }

  // A new training: with the settings as they are now and some `changes`, or as a situation has them.
  function beginAgain(changes = {}, name = state.situation) {
    const { batch, ...now } = settings;
    state = { ...state, situation: name, settings: { ...now, ...changes }, done: [] };
    begin();
    tell();
  }

  // Does again what a link says, a little in every frame, and then stands still.
  function catchUp(left) {
    todo = left;
    const begun = performance.now();
    while (todo.length && points().length && performance.now() - begun < CATCH_UP_MS) {
      const [first, second] = todo[0];
      if (typeof first === "number") turn(second);
      else {
        settings[first] = second;
        state.done.push([first, second]);
      }
      if (typeof first !== "number" || --todo[0][0] <= 0) todo.shift();
    }
    if (!points().length) todo = [];
    if (todo.length) requestAnimationFrame(() => todo === left && catchUp(left));
    else {
      showControls();
      if (records.turns.length) tell(); // it rests
    }
    measure();
    paint();
  }

  const stopCatchingUp = () => (todo = []);

  const player = createPlayer(part("play"), {
    begin: stopCatchingUp,
    advance: () => {
      if (!points().length) return player.play(false);
      if (isSlow) {
        if (!scene || performance.now() - scene.since > 1000 * SCENE_SECONDS) nextScene();
        return;
      }
      const begun = performance.now();
      for (let i = 0; i < pace && performance.now() - begun < PICTURE_MS; i += 1) turn("b");
      times = [...times.filter((time) => time > begun - 1000), begun];
      pictures += 1;
      if (pictures % LOOK_EVERY === 0) measure();
      paint();
    },
  });

  function measure() {
    const real = points();
    if (!real.length) return (modes = null);
    rewind();
    const samples = forward(game.G, drawZ(createDraws(7), settings.z, LOOKED_AT), LOOKED_AT).at(-1);
    modes = { spread: spreadOf(samples) / (spreadOf(real) || 1) };
    if (truth()) Object.assign(modes, countModes(samples, truth().centres, truth().sigma));
    records.look(step, modes);
  }

  // --- slow motion: a step in four scenes ---

  const SCENES = [
    () => {
      for (let i = 1; i < settings.moves; i += 1) latest.d = moveD(game, settings, drawSeen(game, settings, points()));
      const seen = drawSeen(game, settings, points());
      const told = gradientOfD(game, settings, seen);
      latest.d = { ...told, norm: latest.d?.norm ?? 0 };
      return { seen, told, words: `D looks at ${BATCH} real points and ${BATCH} of G’s: its loss is ${written(told.total, 3)}. Some of its verdicts stand beside them.` };
    },
    ({ seen, told: before }) => {
      latest.d = moveD(game, settings, seen);
      const told = gradientOfD(game, settings, seen);
      return { seen, told, words: `D has moved. On the same points its loss is now ${written(told.total, 3)}, ${changeOf(before, told)}.` };
    },
    () => {
      const seen = drawSeen(game, settings, points());
      const told = gradientOfG(game, settings, seen);
      latest.g = { ...told, norm: latest.g?.norm ?? 0 };
      return { seen, told, words: `G shows D new points: its loss is ${written(told.total, 3)}. Through D comes back where each point should go, −∂loss/∂x.` };
    },
    ({ seen, told: before }) => {
      latest.g = moveG(game, settings, seen);
      const told = gradientOfG(game, settings, seen);
      counted("b");
      return { seen, told, words: `G has moved. The same z give a loss of ${written(told.total, 3)}, ${changeOf(before, told)}.` };
    },
  ];

  const changeOf = (before, after) => `${after.total < before.total ? "" : "+"}${written(after.total - before.total, 3)}`;

  function nextScene() {
    const index = scene ? (scene.index + 1) % SCENES.length : 0;
    scene = { index, since: performance.now(), ...SCENES[index](scene) };
    measure();
    paint();
  }

  // A step that was begun in slow motion is finished, so that what is written down is what was done.
  function endTurn() {
    while (scene && scene.index < SCENES.length - 1) nextScene();
    scene = null;
  }

  function verdicts({ told }) {
    const score = (logit) => (isProbability(settings.loss) ? written(sigmoid(logit)) : written(logit, 1));
    const few = (at, logits, isReal) =>
      Array.from({ length: VERDICTS }, (_, n) => ({ at: [at[2 * n], at[2 * n + 1]], text: score(logits[n]), isReal }));
    return told.logits ? few(told.fake, told.logits, false) : [...few(told.real, told.logitsReal, true), ...few(told.fake, told.logitsFake, false)];
  }

  // --- what is seen ---

  function colours() {
    const [ink, paper] = inkAndPaper(part("plane"));
    const [real, fake] = ["real", "fake"].map((name) => channelsOf(getComputedStyle(root.querySelector(`.legend .${name}`)).backgroundColor));
    return { ink, paper, real, fake };
  }

  const plane = createPlane(part("plane"), colours);

  function paint() {
    if (!game) return;
    rewind();
    const known = points();
    const told = scene?.told ?? latest.g ?? { fake: forward(game.G, drawZ(createDraws(5), settings.z, BATCH), BATCH).at(-1) };
    plane.paint({
      game: known.length ? game : null,
      settings,
      real: told.real ?? known.subarray(0, 2 * SHOWN),
      fake: known.length ? told.fake : null,
      handed: known.length ? told.handed : null,
      labels: scene && verdicts(scene),
      cursor: pen.cursor(),
    });
    paintLosses();
    paintModes();
    write();
  }

  function paintLosses() {
    const { ink, paper, real, fake } = colours();
    const { idealD, idealG } = TERMS[settings.loss];
    const levels = [[idealD, real], [idealG, fake]].filter(([ideal]) => ideal).map(([[value, text], colour]) => ({ value, text, colour }));
    const curve = (name) => records.turns.map(({ values }) => values[name] ?? NaN);
    const [lossD, lossG] = [curve("discriminator/loss"), curve("generator/loss")];
    const [least, most] = rangeOf([...lossD, ...lossG], levels.map(({ value }) => value));
    paintCurves(part("curves"), {
      ...{ steps: records.turns.map((record) => record.step), levels, least, most, ink, paper },
      lines: [{ values: lossD, colour: real }, { values: lossG, colour: fake }],
      title: [{ text: "loss of D", colour: real }, { text: "loss of G", colour: fake }],
    });
  }

  function paintModes() {
    const { ink, paper } = colours();
    part("coverage").hidden = !truth();
    if (!truth()) return;
    const all = truth().centres.length / 2;
    paintCurves(part("coverage"), {
      ...{ steps: records.looks.map((record) => record.step), least: 0, most: 1.05 * all, ink, paper },
      lines: [{ values: records.looks.map(({ values }) => values.found), colour: ink }],
      levels: [{ value: all, text: `all ${all}` }],
      title: [{ text: "modes found" }],
    });
  }

  function write() {
    const { real, fake, g, idealD, idealG } = TERMS[settings.loss];
    const terms = latest.d?.terms;
    const ofD = [[real, terms?.real], [fake, terms?.fake], [settings.penalty > 0 && penaltyOf(settings.loss), terms?.penalty]];
    writeObjective(part("of-d"), "D", ofD.filter(([words]) => words), idealD);
    writeObjective(part("of-g"), "G", [[g, latest.g?.total]], idealG);
    part("where").textContent = `step ${step.toLocaleString("en")}${todo.length ? ", catching up …" : ""}`;
    part("scene").textContent = scene?.words ?? (points().length ? "" : "Draw the data: click or drag in the plane, or move the cross with the arrow keys and press Enter.");
    const figures = figuresInWords();
    const list = part("figures");
    if (!list.children.length) list.replaceChildren(...Object.keys(figures).map((name) => element("div", {}, element("dt", {}, name), element("dd"))));
    Object.values(figures).forEach((value, i) => (list.children[i].lastChild.textContent = value));
    if (!player.isPlaying() || pictures % LOOK_EVERY === 0) describe(figures);
  }

  function figuresInWords() {
    const percent = (share) => (share === undefined ? "–" : `${Math.round(100 * share)}%`);
    return {
      "D is right on": percent(latest.d?.accuracy),
      "modes found": modes?.found === undefined ? "–" : `${modes.found} of ${truth().centres.length / 2}`,
      "within 3σ of a mode": percent(modes?.good),
      "spread, of the data": percent(modes?.spread),
      "slope handed to G": latest.g ? handedOf(latest.g).toPrecision(2) : "–",
      speed: player.isPlaying() && !isSlow ? `${times.length} pictures/s` : "–",
    };
  }

  // For those who do not see the pictures.
  function describe(figures) {
    const drawing = isDrawing() ? ` Points drawn: ${state.points.length / 2}. Arrow keys move the cross, Enter sets a point, Backspace takes one away.` : "";
    const told = Object.entries(figures).filter(([, value]) => value !== "–").map(([name, value]) => `${name} ${value}`).join(", ");
    part("plane").setAttribute("aria-label", `The plane at step ${step}. ${told}.${drawing}`);
    const losses = records.turns.at(-1)?.values ?? {};
    const loss = (name) => (name in losses ? written(losses[name], 3) : "not there yet");
    part("curves").setAttribute("aria-label", `Losses over ${step} steps: D’s is ${loss("discriminator/loss")}, G’s ${loss("generator/loss")}.`);
    part("coverage").setAttribute("aria-label", `Modes over ${step} steps: ${figures["modes found"]} found.`);
  }

  // --- controls ---

  let controls = [];

  function choose({ name, fresh }, value) {
    if (name === "pace") pace = value;
    else if (fresh) beginAgain({ [name]: value });
    else set({ [name]: value });
  }

  function build({ situations, choices, points: sets }) {
    const shown = choices.filter(({ name }) => name !== "seed");
    controls = [...shown, PACE].map((choice) => ({ choice, ...createControl(choice, (value) => choose(choice, value)) }));
    for (const set of Object.values(sets)) {
      set.values = Float64Array.from(new Float32Array(bytes(set.values)));
      set.modes = set.centres ? { centres: Float64Array.from(set.centres), sigma: set.sigma } : null;
    }
    const buttons = situations.map((each) => {
      const button = element("button", { type: "button" }, each.title);
      button.onclick = () => beginAgain(each.settings, each.name);
      return button;
    });
    part("situations").replaceChildren(...buttons);
    part("settings").replaceChildren(...controls.map(({ label }) => label));
  }

  const situation = () => data.situations.find((each) => each.name === state.situation);
  const isDrawing = () => settings.data === "drawn";

  function showControls() {
    controls.forEach(({ choice, show }) => show(choice === PACE ? pace : settings[choice.name]));
    const { name, words, cure } = situation();
    data.situations.forEach((each, i) => part("situations").children[i].setAttribute("aria-pressed", each.name === name));
    root.querySelector(".lesson p").textContent = words;
    part("cure").hidden = !cure;
    part("cure").textContent = cure ? `The cure: ${cure.words}` : "";
    part("slow").setAttribute("aria-pressed", isSlow);
    part("plane").classList.toggle("drawing", isDrawing());
    part("plane").setAttribute("role", isDrawing() ? "application" : "img");
    if (isDrawing()) part("plane").tabIndex = 0;
    else part("plane").removeAttribute("tabindex");
  }

  // In mid-run, so that one sees it heal.
  part("cure").onclick = () => {
    set(situation().cure.settings);
    if (!player.wantsRest()) player.play(true);
  };

  part("slow").onclick = () => {
    stopCatchingUp();
    endTurn();
    isSlow = !isSlow;
    showControls();
    if (isSlow && points().length) nextScene();
    player.play(points().length > 0 && !player.wantsRest());
    paint();
  };

  function single(kind) {
    player.play(false);
    stopCatchingUp();
    if (!points().length) return;
    if (isSlow && kind === "b") nextScene();
    else {
      endTurn();
      turn(kind);
      measure();
      paint();
    }
    tell();
  }
  part("both").onclick = () => single("b");
  part("only-d").onclick = () => single("d");
  part("only-g").onclick = () => single("g");
  part("again").onclick = () => beginAgain();
  part("other").onclick = () => beginAgain({ seed: (settings.seed + 1) % 10000 });

  const toggle = part("play").onclick;
  part("play").onclick = () => {
    toggle();
    paint();
    if (!player.isPlaying()) tell();
  };

  // --- drawing the data: each stroke begins a new training ---

  const pen = createPen(part("plane"), {
    isDrawing,
    placeOf: plane.placeOf,
    grain: () => data.points_a_unit,
    moved: () => paint(),
    add(place) {
      if (state.points.length < 2 * data.most_points) state.points = [...state.points, ...place];
      player.play(false);
      paint();
    },
    takeBack: () => (state.points = state.points.slice(0, -2)),
    done: () => beginAgain(),
  });

  const resized = new ResizeObserver(() => paint());
  resized.observe(part("board"));

  const duel = {
    show,
    close: () => {
      player.close();
      resized.disconnect();
      clearTimeout(timer);
      game = null;
    },
  };
  return duel;
});
