// The keys of the lists: up and down go from row to row, Home and End to the first and the last, Escape
// folds the row that one is in and stands on its head again. And those that make the page larger.

import { call } from './bridge.js';

const ZOOMS = [0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const KEPT = 'zoom';

/** Shows the page as large as it was left. */
export function keepZoom() {
  const factor = Number(localStorage.getItem(KEPT));
  if (ZOOMS.includes(factor) && factor !== 1) zoom(factor);
}

/** Ctrl (or Cmd) with +, - and 0, as in a browser. */
export function zoomKeys(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const step = { '+': 1, '=': 1, '-': -1, 0: 0 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const at = ZOOMS.indexOf(Number(localStorage.getItem(KEPT)) || 1);
  zoom(step === 0 ? 1 : ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, at + step))]);
}

function zoom(factor) {
  localStorage.setItem(KEPT, String(factor));
  call('zoom', { factor }).catch(() => {});
}

/** Hears a key in a view. */
export function rowKeys(event) {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.key === 'Escape') return foldRow(event);
  const head = event.target.closest?.('.row-toggle');
  if (!head) return;
  const heads = [...document.querySelectorAll('main .row-toggle')];
  const at = heads.indexOf(head);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: heads.length - 1 }[event.key];
  if (to === undefined || !heads[to]) return;
  event.preventDefault();
  heads[to].focus();
}

/** What gets the focus is not left below the bar (WCAG 2.4.11). */
export function keepInSight({ target }) {
  const bar = document.querySelector('.bar')?.getBoundingClientRect();
  if (!bar || !target.closest?.('main')) return;
  const edge = bar.bottom + 8;
  const { top } = target.getBoundingClientRect();
  if (top < edge) window.scrollBy(0, top - edge);
}

function foldRow(event) {
  // Where Escape means something of its own, it means that.
  if (event.target.matches?.('select, textarea')) return;
  const head = event.target.closest?.('.row')?.querySelector('.row-toggle[aria-expanded="true"]');
  if (!head) return;
  event.preventDefault();
  head.click();
  head.focus();
}
