// In a narrow window the sidebar lies on the page, so it closes once a page was chosen from it; formulas and code that scroll can be
// scrolled by keyboard in every browser; the style for paper can see whether the theme is dark; where the theme has changed the page
// runs again, since charts are drawn in the colours of the theme that the server knew; and the browser, nobody else, remembers where it was.

const ROUNDING = 2; // KaTeX's own boxes overlap by a pixel or two

export default mounts(function createManners() {
  const narrow = window.matchMedia("(max-width: 768px)");
  const main = document.querySelector("[data-testid=stMain]");
  let frame = 0;

  function close(event) {
    if (!narrow.matches || !event.target.closest?.("[data-testid=stSidebarNavLink]")) return;
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  }

  function soon() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(look);
  }

  function look() {
    const { dataset } = document.documentElement;
    const { colorScheme } = getComputedStyle(document.querySelector("[data-testid=stApp]"));
    if (dataset.scheme && dataset.scheme !== colorScheme) manners.trigger("scheme", colorScheme);
    dataset.scheme = colorScheme;
    for (const each of main.querySelectorAll(".katex-display, pre")) {
      if (each.scrollWidth > each.clientWidth + ROUNDING || each.scrollHeight > each.clientHeight + ROUNDING) each.tabIndex = 0;
      else each.removeAttribute("tabindex");
    }
  }

  document.addEventListener("click", close);
  const changes = new MutationObserver(soon);
  changes.observe(main, { childList: true, subtree: true });
  const sizes = new ResizeObserver(soon);
  sizes.observe(main);

  function remember(page) {
    const visited = new Set(JSON.parse(localStorage.getItem("genlab visited") ?? "[]")); // way.js reads it
    if (visited.has(page)) return;
    localStorage.setItem("genlab visited", JSON.stringify([...visited.add(page)]));
    window.dispatchEvent(new Event("genlab visited"));
  }

  const manners = {
    show(page) {
      remember(page);
      soon();
    },
    close() {
      cancelAnimationFrame(frame);
      document.removeEventListener("click", close);
      changes.disconnect();
      sizes.disconnect();
    },
  };
  return manners;
});
