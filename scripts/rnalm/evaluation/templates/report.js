// Draws every chart into the element of its name, with text and grid in the colours of the page's scheme.
// A chart in a folded part has no width: it is drawn when the part is opened.
(() => {
  const specifications = JSON.parse(document.getElementById("chart-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Set();

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
  async function draw(element, options) {
    drawn.add(element.id);
    await vegaEmbed(element, specifications[element.id], options).catch((error) => {
      element.textContent = "This chart could not be drawn.";
      console.error(element.id, error);
    });
  }

  // From the top of the page down, with a pause after each for the reader's own scrolling and clicks.
  async function drawAll(elements) {
    const options = { actions: false, renderer: "svg", config: config() };
    for (const element of elements) {
      await draw(element, options);
      await new Promise((done) => setTimeout(done));
    }
  }

  const charts = () => [...document.querySelectorAll(".chart")];
  const isFolded = (element) => element.closest("details:not([open])") !== null;

  document.addEventListener("toggle", () => {
    drawAll(charts().filter((element) => !drawn.has(element.id) && !isFolded(element)));
  }, true);
  dark.addEventListener("change", () => drawAll(charts().filter((element) => drawn.has(element.id))));
  drawAll(charts().filter((element) => !isFolded(element))).then(() => {
    document.documentElement.dataset.drawn = "yes";
  });
})();
