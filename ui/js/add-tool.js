// Registering a tool, or giving one more services.

import { call } from './bridge.js';
import { h, name } from './dom.js';
import { asName } from './names.js';
import { button, failure, field, fold } from './parts.js';
import { go } from './route.js';
import { sheet } from './sheet.js';
import { act, state } from './store.js';
import { serviceTicks } from './ticks.js';
import { showKey } from './tools.js';
import { pieces, t } from './words.js';

const ANSWERS = ['automatic', '401', '503'];

/** Draws it; with `tool`, the form that widens that one. */
export function toolSheet(view, tool) {
  const place = tool ? `widen-form-${tool.tool}` : 'add-tool-form';
  const first = view.services.find((service) => !tool?.services.includes(service.service));
  const has = (service) => tool?.services.includes(service) ?? false;
  return sheet(
    'sheet-tool',
    tool ? pieces('tools.widen.title', { tool: name(tool.tool) }) : t('tools.add'),
    '#tools',
    h(
      'form',
      { class: 'form', key: place, on: { submit: (event) => submit(event, place, tool) } },
      h(
        'div',
        { class: 'form-fields' },
        !tool &&
          field('tool-name', t('tool.name'), {
            hint: t('tool.name.hint'),
            required: true,
            autofocus: true,
            placeholder: t('tool.name.example'),
          }),
        serviceTicks(view, t('tool.services'), 'services', (service) => ({
          checked: has(service.service),
          disabled: has(service.service),
          autofocus: tool !== null && service === first,
        })),
        !tool &&
          fold(
            'tool-more',
            t('add.more'),
            h(
              'div',
              { class: 'field' },
              h('label', { for: 'tool-expired' }, t('tool.expired')),
              h(
                'select',
                { id: 'tool-expired', name: 'expired' },
                ANSWERS.map((answer) => h('option', { value: answer, key: answer }, t(`tool.expired.${answer}`))),
              ),
            ),
            h(
              'label',
              { class: 'tick bare-tick' },
              h('input', { type: 'checkbox', name: 'in_path' }),
              h(
                'span',
                { class: 'tick-text' },
                h('span', { class: 'tick-name' }, t('tool.in_path')),
                h('span', { class: 'aside' }, t('tool.in_path.hint')),
              ),
            ),
          ),
      ),
      h(
        'div',
        { class: 'actions' },
        failure(place),
        button(tool ? t('tools.widen.submit') : t('tools.add.submit'), {
          look: 'filled',
          type: 'submit',
          place,
          id: 'tool-submit',
        }),
        h('a', { class: 'button plain', href: '#tools' }, t('cancel')),
      ),
    ),
  );
}

function submit(event, place, tool) {
  event.preventDefault();
  const typed = new FormData(event.target);
  act(place, async () => {
    const asked = {
      tool: tool?.tool ?? asName(typed.get('tool-name')),
      services: [...(tool?.services ?? []), ...typed.getAll('services')],
      expired: tool?.expired ?? typed.get('expired'),
      key_in_path: tool?.key_in_path ?? typed.has('in_path'),
    };
    if (!asked.tool) throw { kind: 'usage', code: 'bad_name', said: t('tool.bad_name') };
    // Adding one that exists would widen it without saying so.
    if (!tool && state.view.tools.some((one) => one.tool === asked.tool))
      throw { kind: 'usage', code: 'tool_exists', said: t('tool.exists', { tool: asked.tool }) };
    const made = await call('tool_add', { tool: asked });
    go('#tools');
    showKey(made, asked.key_in_path);
  });
}
