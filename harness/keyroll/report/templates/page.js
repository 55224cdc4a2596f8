"use strict";
for (const controls of document.querySelectorAll(".controls")) {
  const chart = controls.nextElementSibling;
  const rows = chart.querySelector(".rows");
  let zoom = 1;
  // A label is shown if it fits into its bar: letters of 11 pixels are about 6.6 wide.
  const fit = () => {
    for (const lane of rows.querySelectorAll('svg[role="group"]')) {
      const texts = [...lane.querySelectorAll("text.in")];
      const bars = lane.querySelectorAll("rect");
      const room = texts.map((text) => bars[text.dataset.bar].getBoundingClientRect().width);
      const need = texts.map((text) => 6.6 * text.textContent.length + 4);
      const mean = room.reduce((sum, width) => sum + width, 0) / room.length;
      // If not all numbers fit, every second, fifth or tenth is shown, as without zoom.
      const stride = [1, 2, 5, 10, 20, 50].find((many) => many * mean > Math.max(...need)) ?? 100;
      const hidden = (number) => ("numbered" in lane.dataset ? number % stride !== 0 : room[number] <= need[number]);
      texts.forEach((text, number) => text.classList.toggle("tight", hidden(number)));
    }
  };
  // On paper, labels are shown that fit on a narrow page: those that fit into the window may not fit there.
  rows.classList.add("fitted");
  fit();
  addEventListener("resize", fit);
  // A red mark must be visible at once, also if the picture is wider than its box.
  const red = rows.querySelector("a circle.bad");
  if (red) {
    const aside = red.getBoundingClientRect().right - chart.getBoundingClientRect().right;
    if (aside > 0) chart.scrollLeft += aside + chart.clientWidth / 4;
  }
  controls.hidden = false;
  controls.addEventListener("click", (event) => {
    const factor = event.target.dataset.zoom;
    if (factor === undefined) return;
    const middle = (chart.scrollLeft + chart.clientWidth / 2) / rows.clientWidth;
    zoom = factor === "0" ? 1 : Math.min(64, Math.max(1, zoom * Number(factor)));
    rows.style.width = `${100 * zoom}%`;
    chart.scrollLeft = middle * rows.clientWidth - chart.clientWidth / 2;
    fit();
  });
  controls.addEventListener("change", (event) => {
    const kind = event.target.dataset.kind;
    for (const row of rows.querySelectorAll(`[data-kind="${kind}"]`)) row.hidden = !event.target.checked;
    fit();
  });
}
const openTarget = () => {
  const target = document.querySelector(location.hash || "none");
  if (!target) return;
  if (target.matches("details")) target.open = true;
  for (const part of target.querySelectorAll("details")) part.open = true;
  for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  target.focus();
};
addEventListener("hashchange", openTarget);
document.addEventListener("click", (event) => {
  if (event.target.closest('a[href^="#"]')) setTimeout(openTarget);
});
openTarget();
