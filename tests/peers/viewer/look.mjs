// Opens a study in OHIF, opens its report by a double click on the thumbnail, and says what is to be seen.
// Usage: node look.mjs FOLDER CHROMIUM ADDRESS PICTURE; the last line of standard output is JSON.
import { createRequire } from 'node:module';

const [folder, chromiumPath, address, picture] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)('./playwright-core');
const LONG_MS = 120000;

const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const errors = [];
page.on('pageerror', error => errors.push(`page: ${error.message}`));
page.on('console', message => message.type() === 'error' && errors.push(`console: ${message.text()}`));

// The viewer draws once more whenever the mouse moves over the image, as a reader's does; its first drawing may come
// before the report is there. A report that draws no words is looked at all the same, when the wait is over.
const words = () => [...document.querySelectorAll('svg.svg-layer text')].some(text => text.textContent.trim());

async function openReport() {
  await page.goto(address, { waitUntil: 'domcontentloaded', timeout: LONG_MS });
  const report = page.locator('[data-cy="study-browser-thumbnail-no-image"]').first();
  await report.waitFor({ timeout: LONG_MS });
  await page.locator('[data-cy="study-browser-thumbnail"]').first().waitFor({ timeout: LONG_MS });
  // the tour stands before the page, where it comes at all
  const skip = page.getByText('Skip all', { exact: false });
  await skip.click({ timeout: 8000 }).catch(() => undefined);
  await report.dblclick({ timeout: LONG_MS });
  await page.waitForLoadState('networkidle', { timeout: LONG_MS }).catch(() => undefined);
  for (let step = 0; step < 20 && !(await page.evaluate(words)); step++) {
    await page.mouse.move(700 + 4 * step, 500);
    await page.waitForTimeout(500);
  }
  return page.evaluate(words);
}

// Where the machine is busy, the viewer now and then puts up the image without what the report draws over it, and stays
// so however long one waits; opened again, it draws.
for (let time = 0; time < 4 && !(await openReport()); time++);
await page.screenshot({ path: picture });
const text = await page.evaluate(() => document.body.innerText);
const drawn = await page.evaluate(() =>
  [...document.querySelectorAll('svg.svg-layer polyline, svg.svg-layer line, svg.svg-layer rect, svg.svg-layer path, svg.svg-layer circle, svg.svg-layer text')].map(
    shape => (shape.tagName === 'text' ? `text: ${shape.textContent}` : shape.tagName)
  )
);
await browser.close();
console.log(JSON.stringify({ text, errors, drawn }));
