// The services to tick, one a line: where a tool is made or widened, and where a client is connected.

import { h, name } from './dom.js';
import { t } from './words.js';

/** Draws it; `asked` is the name of the boxes, and `box(service)` says what else each has. */
export function serviceTicks(view, words, asked, box) {
  return h(
    'fieldset',
    { class: 'field' },
    h('legend', { class: 'label' }, words),
    view.services.length === 0 && h('p', { class: 'hint' }, t('tool.no_services')),
    h(
      'div',
      { class: 'ticks' },
      view.services.map((service) =>
        h(
          'label',
          { class: 'tick', key: service.service },
          h('input', { type: 'checkbox', name: asked, value: service.service, ...box(service) }),
          h(
            'span',
            { class: 'tick-text' },
            name(service.service, { class: 'tick-name' }),
            h('span', { class: 'aside', dir: 'ltr' }, service.url),
          ),
        ),
      ),
    ),
  );
}
