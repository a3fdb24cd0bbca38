// Shows what is new without loading the page again: asks for the parts of the
// page that change, one after the other, which the server has escaped, and keeps
// open what is open. What changed in number is said to those who listen.
"use strict";
const hold = document.getElementById("hold"), said = document.getElementById("said");
const still = () => hold?.getAttribute("aria-pressed") === "true";
if (hold) {
  hold.hidden = !document.querySelector("[data-live]");
  hold.addEventListener("click", () => hold.setAttribute("aria-pressed", String(!still())));
}
let turn = Promise.resolve();
for (const part of document.querySelectorAll("[data-live]")) {
  const usual = 3000;
  let pause = part.childElementCount && !part.hasAttribute("data-wait") ? usual : 0;
  const show = (text) => {
    const open = new Set([...part.querySelectorAll("details[open]")].map((d) => d.dataset.id));
    const before = part.querySelector("[data-say]")?.textContent;
    part.innerHTML = text;
    part.removeAttribute("data-wait");
    part.removeAttribute("aria-busy");
    for (const d of part.querySelectorAll("details")) d.open = open.has(d.dataset.id);
    const now = part.querySelector("[data-say]")?.textContent;
    if (said && before && now && before !== now) said.textContent = now;
  };
  const look = async () => {
    const waits = part.hasAttribute("data-wait");
    if (!document.hidden && (waits || !still()) && !part.contains(document.activeElement)) {
      const began = Date.now();
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" }, redirect: "error" });
        if (!answer.ok) throw new Error(answer.status);
        const text = await answer.text();
        if (!part.contains(document.activeElement) && (waits || !still())) show(text);
        pause = Math.max(usual, 5 * (Date.now() - began));
      } catch {
        pause = Math.min(2 * pause + 1000, 60000);
      }
    }
    again();
  };
  const again = () => setTimeout(() => { turn = turn.then(look); }, Math.max(pause, 500));
  if (pause) again(); else turn = turn.then(look);
}
