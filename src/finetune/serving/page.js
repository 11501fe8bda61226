"use strict";

// A form for each model; answers are written as text, never as markup.
const models = JSON.parse(document.getElementById("models").textContent);

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function shown(field, answer) {
  const value = answer[field.field];
  if (value === null || value === undefined) return "no answer";
  const unit = field.unit ? ` ${answer[field.unit]}` : "";
  if (field.form === "range") return `${value[0]} to ${value[1]}${unit}`;
  if (field.form === "percent") return `${(100 * value).toFixed(1)} %`;
  return `${value}${unit}`;
}

async function ask(model, text) {
  const key = document.getElementById("key").value;
  const headers = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const body = model.path
    ? { model: model.model, [model.input]: text }
    : { model: model.model, messages: [{ role: "user", content: text }] };
  const path = model.path ?? "/v1/chat/completions";
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${answer.error.message}`);
  if (!model.path) return [["Answer", answer.choices[0].message.content]];
  return model.shown.map((field) => [field.label, shown(field, answer)]);
}

function addForm(model) {
  const section = element("section", "", document.getElementById("forms"));
  section.id = `model-${model.model}`;
  element("h2", `${model.title} (${model.model})`, section);
  const label = element("label", "Text", section);
  const input = element("textarea", "", label);
  input.value = model.example;
  const button = element("button", "Ask", section);
  const result = element("div", "", section);
  result.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    button.disabled = true;
    result.replaceChildren();
    try {
      const list = element("dl");
      for (const [name, value] of await ask(model, input.value)) {
        element("dt", name, list);
        element("dd", value, list);
      }
      result.append(list);
    } catch (error) {
      element("p", error.message, result).className = "error";
    } finally {
      button.disabled = false;
    }
  });
}

models.forEach(addForm);
