"use strict";

// Texts are written as text, never as markup; what was said is kept in this browser after each row.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const PREFIX = `finetune-rating/${data.page}/`;
const KEYS = {
  ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right", t: "tie", 0: "tie", s: "skip",
};

let rater = "";
let ratings = {}; // by the place of an item: choice, reference_seen, at
let seen = {}; // the places whose reference was asked for
let place = 0;

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

function stored(key) {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

function store(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
    problem("");
  } catch {
    problem("This browser keeps nothing for this page: save the file before you close it.");
  }
}

function firstOpen(from = 0) {
  const open = data.items.findIndex((_, index) => index >= from && !(index in ratings));
  if (open >= 0 || from === 0) return open < 0 ? data.items.length : open;
  return firstOpen();
}

function begin(name) {
  rater = name;
  store("rater", rater);
  const kept = JSON.parse(stored(`of/${rater.toLowerCase()}`) || "{}");
  ratings = kept.ratings || {};
  seen = kept.seen || {};
  place = firstOpen();
  at("start").hidden = true;
  show();
}

function keep() {
  store(`of/${rater.toLowerCase()}`, JSON.stringify({ ratings, seen }));
}

function ask() {
  at("rate").hidden = at("done").hidden = at("foot").hidden = true;
  at("start").hidden = false;
  at("name").value = "";
  at("name").focus();
}

function show() {
  const isDone = place >= data.items.length;
  const given = Object.values(ratings);
  const skipped = given.filter((each) => each.choice === "skip").length;
  at("rate").hidden = isDone;
  at("done").hidden = !isDone;
  at("foot").hidden = false;
  at("who").textContent = rater;
  if (isDone) {
    at("summary").textContent = `${given.length - skipped} of ${data.items.length} rated`
      + (skipped ? `, ${skipped} skipped` : "") + ". Save the file of ratings, and hand it in.";
    at("all").focus();
    return;
  }
  const item = data.items[place];
  const current = ratings[place];
  at("bar").value = given.length;
  at("place").textContent = `${place + 1} of ${data.items.length}`;
  at("counted").textContent = `${given.length} done` + (skipped ? `, ${skipped} skipped` : "");
  for (const field of ["input", "left", "right"]) at(field).textContent = item[field];
  at("input").scrollTop = 0;
  at("ask").hidden = item.reference === null;
  at("reference").hidden = item.reference === null || !seen[place];
  at("reference").querySelector(".answer").textContent = item.reference ?? "";
  at("back").disabled = place === 0;
  at("next").disabled = current === undefined;
  for (const button of document.querySelectorAll("[data-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.choice === current?.choice));
  }
  at("what").focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

function rate(choice) {
  const time = new Date().toISOString();
  ratings[place] = { choice, reference_seen: Boolean(seen[place]), at: time };
  keep();
  place = firstOpen(place + 1);
  show();
}

function move(by) {
  if (by > 0 && !(place in ratings)) return;
  place = Math.min(Math.max(place + by, 0), data.items.length);
  if (by > 0 && place === data.items.length) place = firstOpen();
  show();
}

function reveal() {
  if (data.items[place]?.reference === null) return;
  seen[place] = true;
  keep();
  show();
}

function save() {
  const lines = Object.entries(ratings).map(([index, rating]) => {
    const item = data.items[index];
    return JSON.stringify({
      page: data.page, task: data.task, split: data.split, rater, row: item.row,
      input: item.input_hash, left: item.left_hash, right: item.right_hash, ...rating,
    });
  });
  const file = new Blob([lines.join("\n"), "\n"], { type: "application/jsonl" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  const name = rater.replace(/[^\p{L}\p{N}]+/gu, "-");
  link.download = `ratings-${data.task}-${name}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

at("start").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("name").value.trim().replace(/\s+/g, " ");
  if (name) begin(name);
});
for (const button of document.querySelectorAll("[data-choice]")) {
  button.addEventListener("click", () => rate(button.dataset.choice));
}
at("back").addEventListener("click", () => move(-1));
at("again").addEventListener("click", () => move(-1));
at("next").addEventListener("click", () => move(1));
at("ask").addEventListener("click", reveal);
at("save").addEventListener("click", save);
at("other").addEventListener("click", ask);

document.addEventListener("keydown", (event) => {
  // A key that is held down rates one row, not all that follow; Alt+Left is the browser's.
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || !at("start").hidden) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isRating = !at("rate").hidden;
  if (isRating && key in KEYS) rate(KEYS[key]);
  else if (key === "b" || key === "Backspace") move(-1);
  else if (isRating && key === "n") move(1);
  else if (isRating && key === "r") reveal();
  else if (key === "d") save();
  else return;
  event.preventDefault();
});

const last = stored("rater");
if (last) begin(last);
else ask();
