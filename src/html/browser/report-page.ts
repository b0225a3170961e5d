// The script of a report's page: has its charts drawn, and says what lies under the pointer in the bitmap.
// Runs in a browser; knows the JSON in the page and nothing of this program.
import type { ReportIsland } from '../islands.js';
import { watchBitmap } from './bitmap-pointer.js';
import { ChartBoard } from './chart-board.js';
import { readIsland } from './elements.js';

const { charts, cells } = readIsland() as ReportIsland;
new ChartBoard(charts);
if (cells !== null) watchBitmap(cells);
document.documentElement.dataset['drawn'] = String(charts.length);
