// Shows what is new without loading the page again: asks for the part of the
// page that changes, which the server has escaped, and keeps open what is open.
"use strict";
(() => {
  const part = document.getElementById("now");
  if (!part) return;
  let pause = 3000;
  const look = async () => {
    if (!document.hidden && !part.contains(document.activeElement)) {
      try {
        const answer = await fetch("/now", { headers: { Accept: "text/html" }, redirect: "error" });
        if (!answer.ok) throw new Error(answer.status);
        const text = await answer.text();
        const open = new Set([...part.querySelectorAll("details[open]")].map((d) => d.dataset.id));
        part.innerHTML = text;
        for (const d of part.querySelectorAll("details")) d.open = open.has(d.dataset.id);
        pause = 3000;
      } catch {
        pause = Math.min(2 * pause, 60000);
      }
    }
    setTimeout(look, pause);
  };
  setTimeout(look, pause);
})();
