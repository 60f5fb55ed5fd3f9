// The page of an order: shows changes as they come, unless something is typed, and says how old it is.
"use strict";
const part = document.getElementById("part");
const changed = document.getElementById("changed");
const age = document.querySelector("[data-age]");
const POLL_MS = 60000;
const OLD_MS = 150000;
let heard = Date.now();
let isDirty = false;

function refresh() {
  const query = new URLSearchParams({ version: part.querySelector("[data-page]").dataset.version });
  htmx.ajax("GET", `/o/${part.dataset.order}/part?${query}`, { target: "#part", swap: "innerHTML" });
}

function hear() {
  heard = Date.now();
}

part.addEventListener("input", () => { isDirty = true; });
document.addEventListener("htmx:sseMessage", () => { hear(); refresh(); });
document.addEventListener("htmx:sseOpen", hear);
document.addEventListener("htmx:afterOnLoad", hear);
document.addEventListener("htmx:beforeSwap", (event) => {
  if (isDirty && event.detail.xhr.status === 200) {
    event.detail.shouldSwap = false;
    changed.hidden = false;
  }
});
document.addEventListener("htmx:afterSwap", () => { changed.hidden = true; });
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-reload]")) return;
  isDirty = false;
  refresh();
});
// A second tap sends the same form: its key makes it one command, and the button says that it was heard.
document.addEventListener("submit", (event) => {
  setTimeout(() => { for (const it of event.target.querySelectorAll("button")) it.disabled = true; });
});
addEventListener("pageshow", () => { for (const it of document.querySelectorAll("button")) it.disabled = false; });
// The text of the last command does not come back when the page is loaded again.
history.replaceState(null, "", location.pathname + location.hash);
if (location.hash) document.querySelector(`details${location.hash}`)?.setAttribute("open", "");
setInterval(refresh, POLL_MS);
setInterval(() => {
  const isOld = Date.now() - heard > OLD_MS;
  const time = new Date(heard).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  age.classList.toggle("old", isOld);
  age.textContent = (isOld ? age.dataset.stale : age.dataset.asOf).replace("{time}", time);
}, 1000);
