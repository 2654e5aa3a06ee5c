"use strict";
(() => {
  const table = document.getElementById("all");
  if (!table) return;
  const body = table.tBodies[0];
  const pictures = JSON.parse(document.getElementById("pictures").textContent);

  const show = (holder, row) => { holder.innerHTML = pictures[row.dataset.picture]; };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      show(entry.target, entry.target.closest("tr"));
    }
  }, { rootMargin: "300px" });

  const close = () => {
    table.querySelector("tr.large")?.remove();
    table.querySelector("[aria-expanded=true]")?.setAttribute("aria-expanded", "false");
  };
  const enlarge = (button) => {
    const open = button.getAttribute("aria-expanded") === "true";
    close();
    if (open) return;
    const row = button.closest("tr");
    const large = document.createElement("tr");
    large.className = "large";
    const cell = large.insertCell();
    cell.colSpan = row.cells.length;
    const picture = document.createElement("div");
    picture.className = "cell";
    show(picture, row);
    const text = document.createElement("span");
    text.className = "text";
    text.textContent = row.querySelector(".arch").textContent;
    cell.append(picture, text);
    row.after(large);
    button.setAttribute("aria-expanded", "true");
  };
  for (const row of body.rows) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `picture of architecture ${row.id.slice(1)}`);
    button.setAttribute("aria-expanded", "false");
    button.onclick = () => enlarge(button);
    row.cells[0].append(button);
    watcher.observe(button);
  }

  const card = document.createElement("div");
  card.className = "card";
  card.hidden = true;
  document.body.append(card);
  const rowOf = (target) => {
    const link = target.closest ? target.closest("svg.chart a") : null;
    const to = link && (link.getAttribute("xlink:href") || link.getAttribute("href"));
    return to && to.startsWith("#a") ? document.getElementById(to.slice(1)) : null;
  };
  const point = (event) => {
    const row = rowOf(event.target);
    card.hidden = row === null;
    if (row === null) return;
    const picture = document.createElement("div");
    picture.className = "cell";
    show(picture, row);
    const lines = [`query ${row.id.slice(1)}`];
    table.querySelectorAll("thead th").forEach((head, column) => {
      if (head.dataset.metric !== undefined) lines.push(`${head.textContent} ${row.cells[column].textContent}`);
    });
    const text = document.createElement("div");
    text.className = "text";
    text.textContent = [...lines, row.querySelector(".arch").textContent].join("\n");
    card.replaceChildren(picture, text);
    const box = event.target.getBoundingClientRect();
    card.style.left = `${Math.max(8, Math.min(box.right + 12, innerWidth - card.offsetWidth - 8))}px`;
    card.style.top = `${Math.max(8, Math.min(box.top - 12, innerHeight - card.offsetHeight - 8))}px`;
  };
  document.addEventListener("mouseover", point);
  document.addEventListener("focusin", point);

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : cell.dataset.v === "" ? null : Number(cell.dataset.v);
  };
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.onclick = () => {
      close();
      const first = head.dataset.sort;
      const now = head.getAttribute("aria-sort");
      const order = now === null ? first : now === "ascending" ? "descending" : "ascending";
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : sign * (a < b ? -1 : a > b ? 1 : 0)));
      body.append(...rows.map(([, row]) => row));
    };
  });
})();
