// What script adds to the portal's pages. Every page works without it.

// Ask for a fragment after a pause in typing; a newer question drops an older answer.
const asker = (url, form, into, pause) => {
  let timer = 0;
  let asking = null;
  const status = form.querySelector("[data-pp-status]") ?? makeStatus(into);
  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const body = new FormData(form);
    body.delete("act");
    try {
      const answer = await fetch(url, { method: "POST", body, signal: asking.signal, credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      into.innerHTML = await answer.text();
      into.hidden = false;
      const said = into.querySelector("[data-pp-say]");
      status.textContent = said?.dataset.ppSay || said?.textContent || "";
      return true;
    } catch (error) {
      if (error.name === "AbortError") return false;
      status.textContent = "This could not be loaded. Reload the page.";
      into.replaceChildren(Object.assign(document.createElement("p"), { className: "ll-quiet", textContent: status.textContent }));
      into.hidden = false;
      return false;
    }
  };
  return {
    now: () => { clearTimeout(timer); return ask(); },
    soon: () => { clearTimeout(timer); timer = setTimeout(ask, pause); },
  };
};
const makeStatus = (beside) => {
  const line = Object.assign(document.createElement("p"), { className: "govuk-visually-hidden" });
  line.setAttribute("role", "status");
  beside.before(line);
  return line;
};

// Search for a contact: results while typing, arrows walk through them.
for (const form of document.querySelectorAll("form[data-pp-find]")) {
  const into = document.getElementById(form.dataset.ppInto);
  const field = form.querySelector("input[type=search]");
  const search = asker(form.dataset.ppFind, form, into, 160);
  field.addEventListener("input", () => {
    if (field.value.trim()) search.soon();
    else if (location.pathname !== "/") search.soon();
    else into.hidden = true;
  });
  const links = () => [...into.querySelectorAll("a.pp-result__name")];
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && !into.hidden && links().length) {
      event.preventDefault();
      links()[0].focus();
    } else if (event.key === "Enter" && field.value.trim()) {
      event.preventDefault();
      search.now().then((done) => { if (done) links()[0]?.focus(); });
    }
  });
  into.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = links();
    const next = all.indexOf(document.activeElement) + step;
    if (next < 0) field.focus();
    else all[Math.min(next, all.length - 1)]?.focus();
  });
}

// The send page: a merged preview beside the two fields, at once.
for (const form of document.querySelectorAll("form[data-pp-look]")) {
  const into = document.getElementById("look");
  const seen = form.elements.seen;
  const look = asker(form.dataset.ppLook, form, into, 220);
  // One press of Tab from field to field; the fields' own lists offer the same by keyboard.
  for (const pick of form.querySelectorAll(".ll-split__fields [data-pp-fill]")) pick.tabIndex = -1;
  const told = () => { seen.value = into.querySelector("[data-pp-seen]")?.dataset.ppSeen ?? ""; };
  // What was wrong is no longer said once the preview shows that it is put right.
  const settled = () => {
    if (!seen.value) return;
    document.querySelector(".govuk-error-summary")?.remove();
    for (const line of form.querySelectorAll(".govuk-error-message")) line.remove();
    for (const group of form.querySelectorAll(".govuk-form-group--error")) group.classList.remove("govuk-form-group--error");
    for (const field of form.querySelectorAll("[aria-invalid]")) {
      field.classList.remove("govuk-input--error");
      field.removeAttribute("aria-invalid");
      const left = (field.getAttribute("aria-describedby") ?? "").replace(`${field.id}-error`, "").trim();
      if (left) field.setAttribute("aria-describedby", left);
      else field.removeAttribute("aria-describedby");
    }
    document.title = document.title.replace(/^Error: /, "");
  };
  new MutationObserver(() => { told(); settled(); }).observe(into, { childList: true, subtree: true });
  told();
  for (const name of ["page", "record", "days"]) {
    form.elements[name].addEventListener("input", () => { seen.value = ""; look.soon(); });
  }
  form.addEventListener("click", (event) => {
    const pick = event.target.closest("[data-pp-fill]");
    if (!pick) return;
    event.preventDefault();
    form.elements[pick.dataset.ppFill].value = pick.value;
    seen.value = "";
    look.now();
    form.elements[pick.dataset.ppFill].focus();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || !event.target.matches("input")) return;
    event.preventDefault();
    look.now();
  });
}

// The editor: tools that write the marks, and a preview that follows.
for (const form of document.querySelectorAll("form[data-pp-draft]")) {
  const text = form.elements.body;
  const into = document.getElementById("draft");
  const draft = asker(form.dataset.ppDraft, form, into, 400);
  const tools = form.querySelector("[data-pp-tools]");
  tools.hidden = false;
  const put = (start, end, words, from, to) => {
    text.focus();
    text.setRangeText(words, start, end, "end");
    text.setSelectionRange(from, to);
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const wrap = (mark) => {
    const { selectionStart: a, selectionEnd: b } = text;
    const words = text.value.slice(a, b) || "words";
    put(a, b, mark + words + mark, a + mark.length, a + mark.length + words.length);
  };
  const line = (mark) => {
    const a = text.value.lastIndexOf("\n", text.selectionStart - 1) + 1;
    const b = text.selectionEnd;
    const words = text.value.slice(a, b).split("\n").map((one) => mark + one).join("\n");
    put(a, b, words, a + words.length, a + words.length);
  };
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.ppWrap) wrap(button.dataset.ppWrap);
    else if (button.dataset.ppLine) line(button.dataset.ppLine);
    else {
      const { selectionStart: a, selectionEnd: b } = text;
      const words = text.value.slice(a, b) || "words";
      put(a, b, `[${words}](https://)`, a + words.length + 3, a + words.length + 11);
    }
  });
  tools.querySelector("[data-pp-insert]").addEventListener("change", (event) => {
    const { selectionStart: a, selectionEnd: b } = text;
    const code = event.target.value;
    event.target.value = "";
    if (code) put(a, b, code, a + code.length, a + code.length);
  });
  form.addEventListener("input", (event) => { if (event.target.matches("[name=title], [name=body]")) draft.soon(); });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || !event.target.matches("input")) return;
    event.preventDefault();
    draft.now();
  });
}

for (const button of document.querySelectorAll("[data-pp-plain]")) button.hidden = true;
for (const field of document.querySelectorAll("[data-pp-select]")) field.addEventListener("focus", () => field.select());
