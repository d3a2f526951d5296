// Opens studies in OHIF, opens the report of each by a double click on its thumbnail, and says what is to be seen.
// Usage: node look.mjs FOLDER CHROMIUM [ADDRESS PICTURE]...; standard output is a line of JSON for each study.
import { createRequire } from 'node:module';

const [folder, chromiumPath, ...wanted] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)('./playwright-core');
const LONG_MS = 120000;
const SHAPES = ['polyline', 'line', 'rect', 'path', 'circle', 'text'].map(name => `svg.svg-layer ${name}`).join(', ');

const browser = await chromium.launch({
  executablePath: chromiumPath,
  args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
});
// one context: the bundle is fetched and compiled once
const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
// the viewer's tour of its buttons would stand before the page
await context.addInitScript(() => localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour'])));

// The viewer draws once more whenever the mouse moves over the image, as a reader's does; its first drawing may come
// before the report is there. A report that draws no words is looked at all the same, when the wait is over.
const words = () => [...document.querySelectorAll('svg.svg-layer text')].some(text => text.textContent.trim());

async function opened(page, thumbnail) {
  await thumbnail.dblclick({ timeout: LONG_MS });
  await page.waitForLoadState('networkidle', { timeout: LONG_MS }).catch(() => undefined);
  for (let step = 0; step < 20 && !(await page.evaluate(words)); step++) {
    await page.mouse.move(700 + 4 * step, 500);
    await page.waitForTimeout(200);
  }
  return page.evaluate(words);
}

async function look(address, picture) {
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', error => errors.push(`page: ${error.message}`));
  page.on('console', message => message.type() === 'error' && errors.push(`console: ${message.text()}`));
  await page.goto(address, { waitUntil: 'domcontentloaded', timeout: LONG_MS });
  const report = page.locator('[data-cy="study-browser-thumbnail-no-image"]').first();
  const image = page.locator('[data-cy="study-browser-thumbnail"]').first();
  await report.waitFor({ timeout: LONG_MS });
  await image.waitFor({ timeout: LONG_MS });
  await page.waitForLoadState('networkidle', { timeout: LONG_MS }).catch(() => undefined);
  // Of studies of several images, and where the machine is busy, the viewer puts up the image without what the report
  // draws over it, and stays so however long one waits; once another series was opened, it draws.
  let times = 1;
  for (; !(await opened(page, report)) && times < 4; times++) {
    await image.dblclick({ timeout: LONG_MS });
    await page.waitForLoadState('networkidle', { timeout: LONG_MS }).catch(() => undefined);
    await page.waitForTimeout(1000);
  }
  await page.mouse.move(20, 880);
  await page.screenshot({ path: picture });
  const text = await page.evaluate(() => document.body.innerText);
  const drawn = await page.evaluate(
    shapes => [...document.querySelectorAll(shapes)].map(one => (one.tagName === 'text' ? `text: ${one.textContent}` : one.tagName)),
    SHAPES
  );
  await page.close();
  return { text, errors, drawn, times };
}

for (let at = 0; at < wanted.length; at += 2) console.log(JSON.stringify(await look(wanted[at], wanted[at + 1])));
await browser.close();
