// The script of a report's page: has its charts drawn, and lets its reader look closer at the bitmap.
// Runs in a browser; knows the JSON in the page and nothing of this program.
import type { ReportIsland } from '../islands.js';
import { BitmapZoom } from './bitmap-zoom.js';
import { ChartBoard } from './chart-board.js';
import { readIsland } from './elements.js';

const { charts, bitmap } = readIsland() as ReportIsland;
new ChartBoard(charts);
if (bitmap !== null) new BitmapZoom(bitmap);
document.documentElement.dataset['drawn'] = String(charts.length);
