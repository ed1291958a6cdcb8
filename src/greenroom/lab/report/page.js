"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const place = document.getElementById("charts");
  const COLOURS = ["#3b82f6", "#e0772b", "#8b5cf6", "#14a38b", "#d6409f", "#9a8f2a", "#64748b", "#22a3d6", "#b45309"];
  const MEGABYTE = 1048576;
  const TREND = "#e23b3b";
  let drawn = [];

  const short = (value) => (value === 0 || Math.abs(value) >= 100 ? value.toFixed(0) : String(+value.toPrecision(3)));
  const show = (value, unit) => {
    if (value === null || value === undefined) return "–";
    if (unit === "s") return Math.abs(value) < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`;
    if (unit === "bytes") return `${short(value)} MB`;
    if (unit === "share") return `${short(value * 100)} %`;
    return unit === "per second" ? `${short(value)}/s` : short(value);
  };

  const options = (chart, language, width) => {
    const style = getComputedStyle(root);
    const ink = style.getPropertyValue("--soft").trim();
    const grid = style.getPropertyValue("--line").trim();
    let colour = 0;
    const series = chart.series.map((one) => {
      const stroke = one.kind === "trend" ? TREND : COLOURS[colour++ % COLOURS.length];
      const made = { label: one[language] || chart[language], stroke, spanGaps: true,
        value: (_, value) => show(value, chart.unit) };
      if (one.kind === "points") return { ...made, paths: () => null, points: { show: true, size: 6, fill: stroke } };
      if (one.kind === "trend") return { ...made, width: 2, dash: [8, 5], points: { show: false } };
      return { ...made, width: 2, points: { show: one.x.length < 60, size: 5, fill: stroke } };
    });
    return {
      width, height: 240, scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), high * 1.08 || 1] } },
      axes: [
        { stroke: ink, grid: { stroke: grid }, ticks: { stroke: grid } },
        { stroke: ink, grid: { stroke: grid }, ticks: { stroke: grid }, size: 68,
          values: (_, ticks) => ticks.map((value) => show(value, chart.unit)) },
      ],
      series: [{ label: data.x[language === "zh" ? 1 : 0] }, ...series],
    };
  };

  const draw = () => {
    for (const plot of drawn) plot.destroy();
    drawn = [];
    place.replaceChildren();
    const language = root.lang === "zh" ? "zh" : "en";
    // All frames first: how wide one is depends on how many there are.
    const figures = data.charts.map((chart) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = chart[language];
      figure.append(caption);
      return figure;
    });
    place.append(...figures);
    data.charts.forEach((chart, index) => {
      const scale = chart.unit === "bytes" ? 1 / MEGABYTE : 1;
      const tables = chart.series.map((one) => [one.x, one.y.map((value) => value * scale)]);
      const joined = tables.length > 1 ? uPlot.join(tables) : tables[0];
      const width = figures[index].clientWidth - 26;
      drawn.push(new uPlot(options(chart, language, width), joined, figures[index]));
    });
  };

  const button = document.getElementById("language");
  const speak = (language) => {
    root.lang = language;
    button.textContent = language === "zh" ? "English" : "中文";
    button.lang = language === "zh" ? "en" : "zh";
    draw();
  };
  button.addEventListener("click", () => speak(root.lang === "zh" ? "en" : "zh"));
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) {
      width = innerWidth;
      draw();
    }
  });
  const wanted = new URLSearchParams(location.search).get("lang") || navigator.language;
  speak(wanted.toLowerCase().startsWith("zh") ? "zh" : "en");
})();
