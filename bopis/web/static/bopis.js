// Small things that every page shares: the token of changes, and how old what is shown is.
"use strict";
const token = document.querySelector('meta[name="csrf"]')?.content ?? "";
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
});
// What is shown is as old as the memory that it was made from: the server names its age with every answer. A page that
// follows the log is old when nothing newer came for a while: the web process is away, or the log behind it.
const OLD_S = 20;
const age = document.querySelector("[data-age]");
const ageStatus = document.querySelector("[data-age-status]");
const follows = document.querySelector("[data-live]") !== null;
let asOf = Date.now() - 1000 * Number(age?.dataset.age || 0);
document.addEventListener("htmx:afterOnLoad", (event) => {
  const answer = event.detail.xhr;
  const seconds = answer.getResponseHeader("Bopis-Age");
  if (answer.status < 400 && seconds !== null) asOf = Date.now() - 1000 * Number(seconds);
});
function showAge() {
  const shown = new Date(asOf).toLocaleTimeString([], { hourCycle: "h23" });
  const seconds = Math.max(0, Math.round((Date.now() - asOf) / 1000));
  const old = follows && seconds > OLD_S;
  age.classList.toggle("old", old);
  age.textContent = old ? `Not current: what you see is from ${shown}, ${seconds} s ago` : `as of ${shown}`;
  // Announced when it changes, not every second.
  const status = old ? `Not current: what you see is from ${shown}.` : "";
  if (ageStatus.textContent !== status) ageStatus.textContent = status;
}
if (age) {
  showAge();
  setInterval(showAge, 1000);
}
