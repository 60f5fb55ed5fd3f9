// A shop front against the API, without a library. The key is added behind /shop/api: see README.md.
"use strict";
const API = "api/v1";
const CURRENCY = "USD";
const $ = (id) => document.getElementById(id);
const basket = new Map(); // SKU -> { article, quantity }
let stores = [];
let here = null;
let key = crypto.randomUUID?.() ?? String(Math.random());

// A demonstration has no price list of its own: a price from the article's code.
const price = (sku) => 100 + ([...sku].reduce((sum, it) => sum + it.charCodeAt(0), 0) % 40) * 10;
const step = (article) => (article.unit && article.unit !== "each" ? 100 : 1);
const cents = (article) => (step(article) === 1 ? price(article.sku) : 1);
const money = (amount) => new Intl.NumberFormat(undefined, { style: "currency", currency: CURRENCY }).format(amount / 100);
const clock = (at) => new Date(at).toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

async function call(path, options = {}) {
  const answer = await fetch(`${API}/${path}`, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail || content.title);
  return content;
}

function post(path, body, headers = {}) {
  return call(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } });
}

function element(tag, text = "", attributes = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, attributes);
}

function say(text, isBad = false) {
  $("note").textContent = text;
  $("note").className = isBad ? "bad" : "";
}

function row(list, title, small, ...rest) {
  const item = element("li");
  const words = element("span", title);
  words.append(element("small", small));
  item.append(words, ...rest);
  list.append(item);
}

async function search() {
  const found = await call(`catalogue?${new URLSearchParams({ search: $("search").value, limit: 12 })}`);
  $("articles").replaceChildren();
  for (const it of found.articles) {
    const name = it.name || it.sku;
    const button = element("button", "Add", { type: "button", ariaLabel: `Add ${name}`, onclick: () => add(it, step(it)) });
    row($("articles"), name, `${it.sku} · ${money(cents(it) * step(it))}${step(it) > 1 ? ` per ${step(it)} ${it.unit}` : ""}`, button);
  }
}

function add(article, units) {
  const quantity = (basket.get(article.sku)?.quantity ?? 0) + units;
  if (quantity > 0) basket.set(article.sku, { article, quantity });
  else basket.delete(article.sku);
  key = crypto.randomUUID?.() ?? String(Math.random());
  showBasket();
  ask();
}

function showBasket() {
  $("basket").replaceChildren();
  if (!basket.size) row($("basket"), "Nothing yet", "Add an article.");
  for (const { article, quantity } of basket.values()) {
    const less = element("button", "−", { type: "button", className: "plain", ariaLabel: `Less ${article.name}`, onclick: () => add(article, -step(article)) });
    row($("basket"), article.name || article.sku, `${quantity} ${step(article) > 1 ? article.unit : "×"} · ${money(cents(article) * quantity)}`, less);
  }
}

const lines = () => [...basket.values()].map(({ article, quantity }) => ({ sku: article.sku, quantity, unit_price: cents(article) }));

// What each store has of the basket, and when it would be ready there.
async function ask() {
  const wanted = $("place").value.toLowerCase();
  const named = stores.filter((it) => it.pickup && `${it.name} ${it.city ?? ""} ${it.store}`.toLowerCase().includes(wanted)).slice(0, 8);
  const chosen = document.querySelector("input[name=store]:checked")?.value;
  if (!basket.size || !named.length) return showStores(named, [], new Map(), chosen);
  const ids = named.map((it) => it.store);
  const [available, quote] = await Promise.all([
    post("availability", { skus: [...basket.keys()], stores: ids }),
    post("quotes", { lines: lines().map(({ sku, quantity }) => ({ sku, quantity })), stores: ids }),
  ]);
  showStores(named, available.stores, new Map(quote.possible.map((it) => [it.store, it.ready_by])), chosen);
}

function showStores(named, available, ready, chosen) {
  $("stores").replaceChildren();
  for (const it of named) {
    const has = available.find((one) => one.store === it.store)?.skus ?? [];
    const there = has.map((sku) => `${sku.available} ${basket.get(sku.sku)?.article.name ?? sku.sku}`).join(", ");
    const far = it.metres === undefined ? "" : ` · ${(it.metres / 1000).toFixed(1)} km`;
    const when = ready.has(it.store) ? `ready by ${clock(ready.get(it.store))}` : basket.size ? "not here" : "";
    const label = element("label");
    const input = element("input", "", { type: "radio", name: "store", value: it.store, checked: it.store === chosen });
    const words = element("span", it.name);
    words.append(element("small", [it.city + far, when, there].filter(Boolean).join(" · ")));
    label.append(input, words);
    const item = element("li");
    item.append(label);
    $("stores").append(item);
  }
}

async function readStores() {
  stores = (await call(`stores?${new URLSearchParams(here ?? {})}`)).stores.filter((it) => !it.closed);
  await ask();
}

async function order(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const store = document.querySelector("input[name=store]:checked")?.value;
  if (!basket.size || !store) return say("Choose articles and a store first.", true);
  const token = form.get("payment");
  const customer = { name: form.get("name"), email: form.get("email"), language: form.get("language"), channels: ["email"] };
  const body = { store, lines: lines(), currency: CURRENCY, customer, payment_methods: token ? [{ token, hint: "Visa" }] : [] };
  const placed = await post("orders", body, { "Idempotency-Key": key, Prefer: "wait=2" });
  say("");
  await follow(placed);
}

// The customer's link opens the stream of this order to this browser, and of no other one.
async function follow(placed) {
  $("number").textContent = placed.shown;
  $("state").textContent = placed.outcome || "accepted";
  $("link").href = placed.link;
  $("placed").hidden = false;
  await fetch(placed.link, { redirect: "follow" });
  const events = new EventSource(`/o/${placed.order}/events`);
  events.addEventListener("order", (event) => { $("state").textContent = JSON.parse(event.data).state.replaceAll("_", " ") || "ended"; });
}

const shown = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => say(error.message, true));
let waiting;
const later = (work) => () => { clearTimeout(waiting); waiting = setTimeout(shown(work), 200); };
$("search").oninput = later(search);
$("place").oninput = later(ask);
$("order").onsubmit = shown(order);
$("near").onclick = () => navigator.geolocation.getCurrentPosition(
  (found) => { here = { latitude: found.coords.latitude, longitude: found.coords.longitude }; shown(readStores)(); },
  () => say("The browser does not say where you are. Search by town instead.", true),
);
showBasket();
shown(search)();
shown(readStores)();
