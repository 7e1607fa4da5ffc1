// What pages do beyond links and forms: they stay fresh while somebody looks, copy, and remember whose zone is wanted.
"use strict";

const REFRESH_SECONDS = 5;
const OTHER_PACES = { fast: 1, minute: 60 };

async function refresh() {
  if (document.hidden || document.querySelector("dialog[open]")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "Agentool-Refresh": "1" } }).catch(() => null);
  if (answer && answer.redirected && new URL(answer.url).pathname === "/login") location.reload();
  if (!answer || !answer.ok || document.hidden) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = fresh.title;
  swap(document.querySelector(".bar .lead"), fresh.querySelector(".bar .lead"));
  const now = document.querySelectorAll("[data-live]");
  const then = fresh.querySelectorAll("[data-live]");
  if (now.length === then.length) now.forEach((part, number) => swap(part, then[number]));
  const pace = document.querySelector("[data-pace]");
  if (pace) pace.dataset.pace = fresh.querySelector("[data-pace]").dataset.pace;
}

// Replaces a part only if it changed, and leaves it alone while somebody is inside of it.
function swap(part, fresh) {
  if (!part || !fresh || part.innerHTML === fresh.innerHTML) return;
  if (part.contains(document.activeElement) || part.querySelector("details[open], :checked")) return;
  part.replaceChildren(...fresh.childNodes);
}

function remember(times) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.cookie = `agentool_zone=${zone};path=/;max-age=31536000;samesite=strict`;
  document.cookie = `agentool_times=${times};path=/;max-age=31536000;samesite=strict`;
  location.reload();
}

document.addEventListener("click", (event) => {
  const copied = event.target.closest("[data-copy]");
  if (copied) navigator.clipboard.writeText(copied.dataset.copy).then(() => (copied.textContent = "Copied"));
  if (event.target.closest("[data-help]")) document.getElementById("help").showModal();
  if (event.target.closest("[data-palette]")) openPalette();
  const zone = event.target.closest("[data-times]");
  if (zone) remember(zone.dataset.times);
});

const PLACES = { a: "/", j: "/jobs", e: "/executions", w: "/week", q: "/queues", p: "/approvals", u: "/usage", h: "/health" };
let going = 0;

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    openPalette();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  const isGoing = event.timeStamp - going < 1500;
  going = event.key === "g" ? event.timeStamp : 0;
  if (isGoing && PLACES[event.key]) location.assign(PLACES[event.key]);
  else if (event.key === "/") document.querySelector("input[type=search]").focus();
  else if (event.key === "?") document.getElementById("help").showModal();
  else if (event.key === "n") location.assign("/new");
  else return;
  event.preventDefault();
});

// The palette offers what this page has, and jobs by a part of their names, which the server finds.
const palette = document.getElementById("palette");
const wanted = palette.querySelector("input");
const found = palette.querySelector("ul");
let asked = 0;

function openPalette() {
  if (!palette.open) palette.showModal();
  wanted.value = "";
  look();
}

async function look() {
  const text = wanted.value.trim().toLowerCase();
  const mine = (asked += 1);
  const links = [...document.querySelectorAll("header nav a, main a.button, .saved a")];
  const near = links.map((link) => ({ name: link.textContent.trim(), address: link.href })).filter((one) => one.name.toLowerCase().includes(text));
  offer(near);
  if (!text) return;
  const answer = await fetch(`/palette?q=${encodeURIComponent(text)}`).catch(() => null);
  if (answer && answer.ok && mine === asked) offer([...near, ...(await answer.json())]);
}

function offer(places) {
  const items = places.slice(0, 12).map((place, number) => {
    const item = document.createElement("li");
    Object.assign(item, { id: `found-${number}`, role: "option", textContent: place.name });
    item.dataset.address = place.address;
    return item;
  });
  found.replaceChildren(...items);
  choose(items[0]);
}

function choose(item) {
  for (const one of found.children) one.setAttribute("aria-selected", String(one === item));
  if (item) item.scrollIntoView({ block: "nearest" });
  wanted.setAttribute("aria-activedescendant", item ? item.id : "");
}

wanted.addEventListener("input", look);
wanted.addEventListener("keydown", (event) => {
  const now = found.querySelector("[aria-selected=true]");
  if (event.key === "ArrowDown") choose(now && now.nextElementSibling ? now.nextElementSibling : found.firstElementChild);
  else if (event.key === "ArrowUp") choose(now && now.previousElementSibling ? now.previousElementSibling : found.lastElementChild);
  else if (event.key === "Enter" && now) location.assign(now.dataset.address);
  else return;
  event.preventDefault();
});
found.addEventListener("click", (event) => {
  const item = event.target.closest("[role=option]");
  if (item) location.assign(item.dataset.address);
});

document.addEventListener("change", (event) => {
  if (!event.target.matches("[form=chosen]")) return;
  const told = document.querySelector("[data-chosen]");
  const number = document.querySelectorAll("[form=chosen]:checked").length;
  if (told) told.textContent = number ? `${number} chosen` : "";
});

for (const back of document.querySelectorAll("[data-back]")) {
  if (document.referrer.startsWith(location.origin)) back.href = document.referrer;
}

for (const frame of document.querySelectorAll(".timeline")) {
  frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2;
}

let turn = 0;
setInterval(() => {
  const pace = document.querySelector("[data-pace]");
  turn += 1;
  if (turn % ((pace && OTHER_PACES[pace.dataset.pace]) || REFRESH_SECONDS) === 0) refresh();
}, 1000);
document.addEventListener("visibilitychange", refresh);
