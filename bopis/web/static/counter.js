// The counter: steppers, the scan field that every key stroke of a scanner reaches, and changes by somebody else.
"use strict";
const counter = document.getElementById("counter");
const panel = document.getElementById("order");
const flash = document.getElementById("flash");
const code = document.getElementById("code");
let isDirty = false;
// What came of the last command stays until the next one, also when the order is shown anew.
let lastNote = null;

function fresh(field) {
  field.value = crypto.getRandomValues(new Uint32Array(2)).reduce((text, it) => text + it.toString(16).padStart(8, "0"), "");
}

function say(text) {
  flash.textContent = text;
  flash.hidden = !text;
}

// Without the centre a store agent on this machine goes on with its copy of the orders.
function offerAgent() {
  if (!flash.dataset.agent) return;
  const link = document.createElement("a");
  link.href = flash.dataset.agent;
  link.textContent = "Go on at the store agent of this machine";
  flash.append(" ", link, ".");
}

// Steppers: found and missing of one line never exceed what is needed.
function step(button) {
  const field = button.parentElement.querySelector("input");
  const most = Number(field.dataset.most);
  field.value = Math.min(most, Math.max(0, (Number(field.value) || 0) + Number(button.dataset.step)));
  const form = field.form;
  const other = { found: "missing", missing: "found" }[field.name];
  const rest = other && form.elements[other];
  if (rest && Number(field.value) + Number(rest.value) > most) rest.value = most - Number(field.value);
  isDirty = true;
}

// What somebody else changed is shown at once, unless something is typed here already.
function refresh() {
  const shown = panel.querySelector("[data-panel]");
  if (!shown) return;
  const query = new URLSearchParams({ store: panel.dataset.store, order: shown.dataset.order, version: shown.dataset.version });
  htmx.ajax("GET", `/counter/order?${query}`, { target: "#order", swap: "innerHTML" });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (button) step(button);
  if (event.target.closest("[data-reload]")) {
    isDirty = false;
    refresh();
  }
});
panel.addEventListener("input", () => { isDirty = true; });

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target, requestConfig } = event.detail;
  if (new URL(xhr.responseURL, location.href).pathname === "/sign-in") {
    event.detail.shouldSwap = false;
    location.assign("/sign-in");
    return;
  }
  const isRefresh = requestConfig.verb === "get" && requestConfig.path.includes("version=");
  if (target === panel) lastNote = isRefresh ? panel.querySelector(":scope > .note[role]") : null;
  if (target === panel && isRefresh && isDirty && xhr.status === 200) {
    event.detail.shouldSwap = false;
    const changed = panel.querySelector("[data-changed]");
    if (changed) changed.hidden = false;
  }
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== panel) return;
  isDirty = false;
  if (lastNote) panel.prepend(lastNote);
  const { verb, path } = event.detail.requestConfig;
  counter.classList.toggle("open", Boolean(panel.querySelector("[data-panel], [data-count], .note")));
  for (const card of document.querySelectorAll(".card")) {
    const isOpen = card.href.endsWith(`order=${panel.querySelector("[data-panel]")?.dataset.order}`);
    if (isOpen) card.setAttribute("aria-current", "true");
    else card.removeAttribute("aria-current");
  }
  if (verb === "post" && path === "/counter/scan") {
    code.value = "";
    fresh(document.querySelector("[data-fresh]"));
    const proof = document.getElementById("proof");
    if (proof?.value) proof.scrollIntoView({ block: "center" });
    else code.focus();
  } else if (!path.includes("version=")) {
    panel.scrollIntoView({ block: "nearest" });
    panel.querySelector("[data-focus]")?.focus();
  }
});
document.addEventListener("htmx:sseMessage", (event) => {
  const shown = panel.querySelector("[data-panel]")?.dataset.order;
  if (shown && (event.detail.type === "resync" || event.detail.data.includes(shown))) refresh();
});
// The queue is read every ten seconds whatever the stream does; so is the order.
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt.id === "queue") refresh();
  if (event.detail.successful) say("");
});
document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  say(status === 403 ? "You may not do this, or your sign-in is over. Load the page again."
    : `The server answered ${status}. Nothing is lost: tap again.`);
});
document.addEventListener("htmx:sendError", () => {
  say("No connection. Tap again once it is back: it counts only once.");
  offerAgent();
});
// A keyboard-wedge scanner types wherever the focus is; without a focus its keys go to the scan field.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, button, a, summary, dialog");
  if (!isTyping && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) code.focus();
});
if (matchMedia("(pointer: fine)").matches && !panel.querySelector("[data-panel], [data-count]")) code.focus();
