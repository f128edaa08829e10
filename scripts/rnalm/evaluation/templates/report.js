// Draws every chart into the element of its name, with text and grid in the colours of the page's scheme.
(() => {
  const specifications = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function config() {
    const style = getComputedStyle(document.documentElement);
    const [ink, soft, line] = ["--ink", "--soft", "--line"].map((name) => style.getPropertyValue(name).trim());
    const text = { labelColor: soft, titleColor: soft, labelFontSize: 11, titleFontSize: 12, titleFontWeight: 500 };
    return {
      background: "transparent",
      font: "system-ui, sans-serif",
      axis: { ...text, gridColor: line, domainColor: line, tickColor: line, labelLimit: 140, titlePadding: 8 },
      axisX: { tickCount: 5 },
      axisY: { tickCount: 5 },
      legend: { ...text, labelColor: ink, symbolStrokeWidth: 2, orient: "bottom" },
      view: { stroke: null },
      text: { color: soft, fontSize: 11 },
    };
  }

  // A chart that fails says so in its place and in the console; the others are still drawn.
  async function draw() {
    const options = { actions: false, renderer: "svg", config: config() };
    await Promise.all(Object.entries(specifications).map(([id, specification]) =>
      vegaEmbed(`#${id}`, specification, options).catch((error) => {
        document.getElementById(id).textContent = "This chart could not be drawn.";
        console.error(id, error);
      })));
    document.documentElement.dataset.drawn = "yes";
  }

  draw();
  dark.addEventListener("change", draw);
})();
