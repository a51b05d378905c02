// Opens the page in Chromium as people may have it, and prints what is to be seen.
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const [url, shots] = process.argv.slice(2);
const ways = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { name: "phone", colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
];

// In the page.
function look() {
  const text = (e) => e.innerText.trim().replace(/\s+/g, " ");
  const visible = (e) => e.checkVisibility() && e.getBoundingClientRect();
  const tables = {};
  for (const table of document.querySelectorAll("table")) {
    tables[table.id] = [...table.rows].map((row) => [...row.cells].map(text));
  }
  const marks = {};
  for (const mark of document.querySelectorAll("svg[role=img] rect, svg[role=img] polyline")) {
    const box = visible(mark);
    const style = getComputedStyle(mark);
    const key = mark.closest("svg").id + " " + mark.getAttribute("class");
    marks[key] = { width: box.width, height: box.height, fill: style.fill, stroke: style.stroke };
  }
  const charts = {};
  for (const svg of document.querySelectorAll("svg[role=img]")) {
    const box = visible(svg);
    charts[svg.id] = { width: box.width, height: box.height, title: document.getElementById(svg.getAttribute("aria-labelledby")).textContent };
  }
  const figures = Object.fromEntries([...document.querySelectorAll(".figures b")].map((b) => [b.id, text(b)]));
  const root = document.documentElement;
  return {
    title: document.title, headings: [...document.querySelectorAll("h1, h2")].map(text), figures, tables, charts, marks,
    background: getComputedStyle(root).backgroundColor, width: root.clientWidth, scrollWidth: root.scrollWidth,
    bold: document.querySelectorAll("td b, td script").length, scripts: document.scripts.length,
  };
}

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  const seen = {};
  try {
    for (const { name, ...way } of ways) {
      const context = await browser.newContext(way);
      const page = await context.newPage();
      const requests = [], console = [];
      page.on("request", (r) => requests.push(r.url()));
      page.on("console", (m) => console.push(m.text()));
      page.on("pageerror", (e) => console.push(String(e)));
      await page.goto(url, { waitUntil: "networkidle" });
      const closed = await page.locator("#trend").isVisible();
      for (const summary of await page.locator("summary").all()) await summary.click();
      const opened = await page.locator("#trend").isVisible();
      if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
      const looked = await page.evaluate(look);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => axe.run());
      seen[name] = {
        ...looked, requests, console, unfolds: !closed && opened,
        axe: violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html + " " + n.failureSummary).slice(0, 2).join(" | ")}`),
      };
      await context.close();
    }
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(seen));
})().catch((error) => {
  process.stderr.write(String(error.stack || error) + "\n");
  process.exit(1);
});
