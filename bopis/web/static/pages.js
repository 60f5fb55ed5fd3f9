// Scripts of the pages of headquarters: announce what changed, charts, and files that become text.
"use strict";
// Parts are drawn again every second or so; a screen reader hears their summary, and only when it is another one.
document.addEventListener("htmx:afterSwap", (event) => {
  const target = document.getElementById(event.target.dataset?.announce ?? "");
  const text = event.target.querySelector("[data-status]")?.dataset.status;
  if (target && text !== undefined && target.textContent !== text) target.textContent = text;
});
// A file is read here and sent as the text of the form.
for (const input of document.querySelectorAll("input[type=file][data-into]")) {
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (file) document.getElementById(input.dataset.into).value = await file.text();
  });
}
// Charts: {"days": [...], "series": [{"name", "values"}]} in data-chart. Axes carry the numbers, the table beside it too.
function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function draw(element) {
  const { days, series } = JSON.parse(element.dataset.chart);
  const strokes = [colour("--accent"), colour("--warn"), colour("--focus")];
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  element.replaceChildren();
  new uPlot({
    width: element.clientWidth, height: 220, cursor: { drag: { x: false, y: false } }, legend: { show: true, live: false },
    scales: { x: { time: false, range: () => [-0.5, days.length - 0.5] }, y: { range: (_, __, high) => [0, Math.max(1, high) * 1.1] } },
    axes: [{ ...axis, values: (_, ticks) => ticks.map((at) => (Number.isInteger(at) && days[at] ? days[at].slice(5) : "")) }, axis],
    series: [{}, ...series.map((it, at) => ({ label: it.name, stroke: strokes[at % 3], width: 2, points: { show: true, size: 6 } }))],
  }, [days.map((_, at) => at), ...series.map((it) => it.values)], element);
}
const charts = [...document.querySelectorAll("[data-chart]")];
if (charts.length && window.uPlot) {
  const drawAll = () => charts.forEach(draw);
  drawAll();
  let timer = 0;
  window.addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(drawAll, 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}
