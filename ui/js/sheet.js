// A form that lies over a view. The browser's own dialog keeps the focus inside it and hears Escape.

import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { go } from './route.js';
import { t } from './words.js';

// A field that gets the focus comes into sight with its label and its hint.
function showWhole({ target }) {
  (target.closest('.field') ?? target).scrollIntoView({ block: 'nearest' });
}

/** Draws it; `back` is the view below. */
export function sheet(id, title, back, ...children) {
  const close = () => go(back);
  return h(
    'dialog',
    {
      class: 'sheet',
      key: id,
      id,
      'aria-labelledby': `${id}-title`,
      mount: (dialog) => {
        dialog.addEventListener('focusin', showWhole);
        dialog.showModal();
      },
      // The page decides what is open: Escape changes the place, and drawing takes the sheet away.
      on: {
        cancel: (event) => {
          event.preventDefault();
          close();
        },
        close,
      },
    },
    h(
      'div',
      { class: 'sheet-in' },
      h(
        'div',
        { class: 'sheet-head' },
        h('h2', { id: `${id}-title` }, title),
        h('a', { class: 'button plain bare', href: back, 'aria-label': t('close') }, glyph('close')),
      ),
      children,
    ),
  );
}
