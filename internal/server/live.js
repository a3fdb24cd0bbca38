// Shows what is new without loading the page again: asks for the parts of the
// page that change, which the server has escaped, and keeps open what is open.
"use strict";
for (const part of document.querySelectorAll("[data-live]")) {
  const usual = 3000;
  let pause = part.childElementCount ? usual : 0;
  const look = async () => {
    if (!document.hidden && !part.contains(document.activeElement)) {
      const began = Date.now();
      try {
        const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" }, redirect: "error" });
        if (!answer.ok) throw new Error(answer.status);
        const text = await answer.text();
        const open = new Set([...part.querySelectorAll("details[open]")].map((d) => d.dataset.id));
        part.innerHTML = text;
        for (const d of part.querySelectorAll("details")) d.open = open.has(d.dataset.id);
        pause = Math.max(usual, 5 * (Date.now() - began));
      } catch {
        pause = Math.min(2 * pause + 1000, 60000);
      }
    }
    setTimeout(look, Math.max(pause, 500));
  };
  setTimeout(look, pause);
}
