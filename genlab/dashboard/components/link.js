// Begins to present, and copies the address. Where the page is not served to this very computer, browsers keep the clipboard from scripts; then the
// address is selected, which is the older way.

export default mounts(function createLink(root) {
  const told = root.querySelector(".told");

  root.querySelector(".copy").onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      told.textContent = "copied";
    } catch {
      told.textContent = copiedBySelection(location.href) ? "copied" : "it stands in the address bar";
    }
    setTimeout(() => (told.textContent = ""), 4000);
  };

  const present = root.querySelector(".present");
  present.onclick = () => link.trigger("present", true);

  function show({ slides, presenting }) {
    root.querySelector(".slides").textContent = slides;
    present.hidden = presenting;
  }

  const link = { show };
  return link;
});

function copiedBySelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}
