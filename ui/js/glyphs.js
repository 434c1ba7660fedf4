// Small drawings on a 16-unit grid, in the colour of the text beside them. Each state has its own
// shape, so that none is told by colour alone.

import { h } from './dom.js';

const BELL =
  'M8 1.9c2.6 0 4.3 1.9 4.3 4.4 0 3 .8 4 1.6 4.9.3.4.1.9-.4.9H2.5c-.5 0-.7-.5-.4-.9.8-.9 1.6-1.9 1.6-4.9C3.7 3.8 5.4 1.9 8 1.9Z';
const CLAPPER = 'M6.4 14.1c.8.9 2.4.9 3.2 0';

// line: stroked paths; fill: filled ones.
const DRAWINGS = {
  // The app's own mark, on the grid of icons/bell.svg.
  mark: {
    box: '72 84 368 368',
    fill: [
      'M256 100c-13 0-23 10-23 23v4c-46 11-77 51-77 101 0 62-14 91-35 116-11 13-3 32 14 32h242c17 0 25-19 14-32-21-25-35-54-35-116 0-50-31-90-77-101v-4c0-13-10-23-23-23Zm0 108a34 34 0 0 1 19 62l11 47a6 6 0 0 1-6 7h-48a6 6 0 0 1-6-7l11-47a34 34 0 0 1 19-62Z',
      'M212 396h88c0 24-20 42-44 42s-44-18-44-42Z',
    ],
  },
  bell: { line: [BELL, CLAPPER] },
  ringing: { fill: [BELL], line: [CLAPPER] },
  fine: { line: ['M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z', 'm5.3 8.2 1.9 1.9 3.6-4'] },
  renew: {
    line: [
      'M13.3 6.6A5.6 5.6 0 0 0 3.4 4.9L2.3 6.3',
      'M2.3 2.9v3.4h3.4',
      'M2.7 9.4a5.6 5.6 0 0 0 9.9 1.7l1.1-1.4',
      'M13.7 13.1V9.7h-3.4',
    ],
  },
  failing: { line: ['M8 2.3 14.2 13H1.8L8 2.3Z', 'M8 6.5v3', 'M8 11.2v.1'] },
  out: { line: ['M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z', 'M5.3 8h5.4'] },
  locked: { line: ['M3.5 7.3h9v6.2h-9z', 'M5.4 7.3V5a2.6 2.6 0 0 1 5.2 0v2.3'] },
  browser: {
    line: [
      'M7 3H3.6A1.1 1.1 0 0 0 2.5 4.1v8.3a1.1 1.1 0 0 0 1.1 1.1h8.3a1.1 1.1 0 0 0 1.1-1.1V9',
      'M9.8 2.5h3.7v3.7',
      'M13.3 2.7 7.6 8.4',
    ],
  },
  waiting: {
    line: [
      'M4 1.9h8',
      'M4 14.1h8',
      'M4.9 1.9c0 3.1 3.1 4.2 3.1 6.1s-3.1 3-3.1 6.1',
      'M11.1 1.9c0 3.1-3.1 4.2-3.1 6.1s3.1 3 3.1 6.1',
    ],
  },
  copy: { line: ['M6 5.5h7v8H6z', 'M10 5.5v-3H3v8h3'] },
  done: { line: ['m3 8.5 3.3 3.3L13 4.8'] },
  open: { line: ['m4 6 4 4 4-4'] },
  plus: { line: ['M8 3v10', 'M3 8h10'] },
  close: { line: ['m4 4 8 8', 'm12 4-8 8'] },
  pause: { line: ['M5.5 3.5v9', 'M10.5 3.5v9'] },
  resume: { line: ['M5 3.2v9.6L12.5 8 5 3.2Z'] },
  stopped: { line: ['M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z', 'm3.7 3.7 8.6 8.6'] },
  running: { fill: ['M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z'] },
  tool: { line: ['M2.3 3.3h11.4v9.4H2.3z', 'm5 6.3 2 1.8-2 1.8', 'M8.7 10h2.3'] },
  enter: { line: ['M9 2.5h3.4a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H9', 'm6.3 5 3 3-3 3', 'M9 8H2.3'] },
  leave: { line: ['M7 2.5H3.6a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1H7', 'm10.5 5 3 3-3 3', 'M13.3 8H6.5'] },
  rescued: {
    line: [
      'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z',
      'M8 5.4a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 0 0 0-5.2Z',
      'm3.7 3.7 2.4 2.4',
      'm9.9 9.9 2.4 2.4',
      'm12.3 3.7-2.4 2.4',
      'm6.1 9.9-2.4 2.4',
    ],
  },
  asked: { line: ['M5.3 7.4a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.6Z', 'm7.7 8.3 5.8-5.8', 'm10.4 5.6 2.4 2.4'] },
  passed: { line: ['M2 8h7.6', 'm6.4 4.6 3.4 3.4-3.4 3.4', 'M13.4 3v10'] },
  hint: { line: ['M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z', 'M8 7.6v3.3', 'M8 5.1v.1'] },
  type: {
    line: ['M1.8 4.2h12.4v7.6H1.8z', 'M4.4 6.8v.1', 'M6.8 6.8v.1', 'M9.2 6.8v.1', 'M11.6 6.8v.1', 'M5.4 9.4h5.2'],
  },
  search: { line: ['M7 2.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6Z', 'm10.5 10.5 3.5 3.5'] },
  service: { line: ['M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z', 'M1.9 8h12.2', 'M8 1.8c2 1.7 2.8 3.9 2.8 6.2S10 12.5 8 14.2', 'M8 1.8C6 3.5 5.2 5.7 5.2 8S6 12.5 8 14.2'] },
  'open-right': { line: ['m6 4 4 4-4 4'] },
  used: { line: ['M2.5 8h10.5', 'm9 4 4 4-4 4'] },
  refused: { line: ['M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5z', 'M5.3 8h5.4'] },
  changed: {
    line: [
      'M2 4.8h6.5',
      'M12.3 4.8H14',
      'M10.4 2.9a1.9 1.9 0 1 0 0 3.8 1.9 1.9 0 0 0 0-3.8Z',
      'M14 11.2H7.5',
      'M3.7 11.2H2',
      'M5.6 9.3a1.9 1.9 0 1 0 0 3.8 1.9 1.9 0 0 0 0-3.8Z',
    ],
  },
};

/** Draws one. It says nothing to a screen reader: words always stand beside it. */
export function glyph(which, look = '') {
  const { box = '0 0 16 16', line = [], fill = [] } = DRAWINGS[which];
  return h(
    'svg',
    { class: `glyph ${look}`, viewBox: box, width: '16', height: '16', 'aria-hidden': 'true' },
    fill.map((d) => h('path', { d, fill: 'currentColor', 'fill-rule': 'evenodd', stroke: 'none' })),
    line.map((d) => h('path', { d })),
  );
}
