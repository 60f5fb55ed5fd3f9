// Small things that every page shares: the token of changes, and how old what is shown is.
"use strict";
const token = document.querySelector('meta[name="csrf"]')?.content ?? "";
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
});
// What is shown is as old as the last answer: never blank, and never stale without saying so.
const age = document.querySelector("[data-age]");
let heard = Date.now();
function hear() { heard = Date.now(); }
document.addEventListener("htmx:afterOnLoad", hear);
document.addEventListener("htmx:sseMessage", hear);
document.addEventListener("htmx:sseOpen", hear);
if (age) {
  setInterval(() => {
    const seconds = Math.round((Date.now() - heard) / 1000);
    const old = seconds > 45;
    age.classList.toggle("old", old);
    age.textContent = old
      ? `No answer for ${seconds} s: what you see is from ${new Date(heard).toLocaleTimeString()}`
      : `as of ${new Date(heard).toLocaleTimeString()}`;
  }, 1000);
}
