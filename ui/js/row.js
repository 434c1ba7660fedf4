// The head of a row that opens: whose it is, what it says of itself, and what can be done with it at once.

import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { mark } from './parts.js';
import { toggle } from './store.js';

/**
 * Draws it. `head` is its id; `among` holds `id` while the row is open, and the inside is `inside`. `title` stands
 * in the button that opens it, `lines` below, `side` at the end.
 */
export function rowHead({ head, id, among, inside, of, title, lines, side }) {
  const open = among.has(id);
  return h(
    'div',
    { class: 'row-head' },
    mark(of),
    h(
      'div',
      { class: 'row-text' },
      h(
        'h2',
        { class: 'row-title' },
        h(
          'button',
          {
            type: 'button',
            class: 'row-toggle',
            id: head,
            'aria-expanded': open,
            'aria-controls': open ? inside : null,
            on: { click: () => toggle(among, id) },
          },
          title,
        ),
      ),
      lines,
    ),
    side && h('div', { class: 'row-side' }, side),
    glyph('open', 'turn row-turn'),
  );
}
