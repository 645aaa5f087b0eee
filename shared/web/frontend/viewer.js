// What script adds for recipients: two buttons that only script can offer.
const reveal = (name, act) => {
  for (const button of document.querySelectorAll(`[data-${name}]`)) {
    button.hidden = false;
    button.addEventListener("click", act);
  }
};
reveal("print", () => window.print());
reveal("close", () => {
  window.close();
  if (!window.closed) history.length > 1 ? history.back() : location.assign("/");
});
