// The keys of present mode. A key that means something where the focus is, in a field, a slider, a list or a picture, stays there.

const OWN_KEYS =
  "input, textarea, select, dialog, video, audio, [contenteditable=true], [role=slider], [role=radio], [role=tab], [role=listbox], " +
  "[role=option], [role=combobox], [role=menu], [role=menuitem], [role=dialog], [role=grid], [role=img], canvas";
const PRESSED_BY_SPACE = "button, summary, a";
const SCREENFUL = 0.85;
const NEARLY = 8; // pixels from the bottom that are no reason to scroll

export default mounts(function createPodium(root) {
  const part = (name) => root.querySelector(`.${name}`);
  const main = document.querySelector("[data-testid=stMain]");
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
  let before = "";

  // A step within the page comes before the link to the next page, which is the last thing on it.
  function next() {
    const ways = [...main.querySelectorAll("button, a")];
    return ways.find((way) => way.textContent.trim().startsWith("Next:") && way.offsetParent !== null && !way.disabled);
  }

  function go() {
    next()?.click();
  }

  function back() {
    if (before) podium.trigger("back", true);
  }

  function leave() {
    podium.trigger("leave", true);
  }

  // A page that is longer than the screen is shown to its end first.
  function readOn() {
    if (main.scrollTop + main.clientHeight >= main.scrollHeight - NEARLY) go();
    else main.scrollBy({ top: SCREENFUL * main.clientHeight, behavior: stillness.matches ? "auto" : "smooth" });
  }

  const KEYS = { " ": readOn, ArrowRight: go, PageDown: go, ArrowLeft: back, PageUp: back, Escape: leave };

  function pressed(event) {
    const act = KEYS[event.key];
    if (!act || event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const path = event.composedPath().filter((each) => each instanceof Element);
    if (path.some((each) => each.matches(OWN_KEYS))) return;
    if (event.key === " " && path.some((each) => each.matches(PRESSED_BY_SPACE))) return;
    event.preventDefault();
    act();
  }

  function look() {
    part("on").disabled = !next();
  }

  document.addEventListener("keydown", pressed);
  const changes = new MutationObserver(look);
  changes.observe(main, { childList: true, subtree: true });
  part("on").onclick = go;
  part("back").onclick = back;
  part("leave").onclick = leave;

  const podium = {
    show(data) {
      before = data.before;
      part("back").disabled = !before;
      part("back").setAttribute("aria-label", before ? `back to ${before}` : "back");
      part("place").textContent = data.place;
      look();
    },
    close() {
      document.removeEventListener("keydown", pressed);
      changes.disconnect();
    },
  };
  return podium;
});
