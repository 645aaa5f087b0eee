// What script adds to the portal. Every page works without it.
import { initAll } from "./govuk-frontend.min.js";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
initAll();

const KEY = "ll-shortcuts";
const off = () => localStorage.getItem(KEY) === "off";
const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

// "/" goes to the search, a letter follows the link or button marked with it, and
// Ctrl+Enter sends the form at hand: <a data-ll-key="n">, <input data-ll-key="/">.
document.addEventListener("keydown", (event) => {
  if (off() || event.isComposing || !(event.target instanceof Element)) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target.closest("form") ?? document.querySelector("form[data-ll-ctrl-enter]");
    if (form?.matches("[data-ll-ctrl-enter]")) {
      event.preventDefault();
      form.requestSubmit();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const target = document.querySelector(`[data-ll-key="${CSS.escape(event.key)}"]`);
  if (!target) return;
  event.preventDefault();
  if (target.matches("input, textarea, select")) target.focus();
  else target.click();
});

for (const button of document.querySelectorAll("[data-ll-shortcuts]")) {
  const tell = () => (button.textContent = off() ? "Turn shortcuts on" : "Turn shortcuts off");
  button.hidden = false;
  tell();
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, off() ? "on" : "off");
    tell();
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
