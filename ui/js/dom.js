// Describing the page as data and changing the real one only where it differs. Nodes are kept, so
// focus, selection, what is typed in a field and how far a list is scrolled survive every snapshot.
// Text only ever becomes a text node: nothing in a name can turn into markup.

const SVG = 'http://www.w3.org/2000/svg';
const drawn = new WeakMap(); // node -> the description that it shows
let mounted = []; // run once the new nodes are in the document
const roaming = new Map(); // `roam` -> the node of that name, wherever it stands

/**
 * Describes an element. `props.key` names it among its siblings, `props.roam` in the whole page: one that
 * turns up in another list is the same node there. Null and false children are dropped.
 */
export function h(tag, props, ...children) {
  const all = props ?? {};
  return { tag, props: all, key: all.key, children: children.flat(Infinity).filter(isChild).map(describe) };
}

/** A name as its owner wrote it: isolated, so that right-to-left letters move nothing beside it. */
export function name(text, props) {
  return h('bdi', { dir: 'auto', ...props }, (text ?? '').replace(/[\u2066-\u2069]/g, '\ufffd'));
}

/** Makes the children of `root` look like `children`. */
export function draw(root, ...children) {
  const focused = document.activeElement;
  const place = focused?.closest?.('[data-home]')?.dataset.home;
  const selected = selection(focused);
  reconcile(root, children.flat(Infinity).filter(isChild).map(describe));
  const run = mounted;
  mounted = [];
  for (const [hook, node] of run) hook(node);
  for (const [of, node] of roaming) if (!node.isConnected) roaming.delete(of);
  keepFocus(focused, place, selected);
}

// A moved node loses its focus; a removed one (its button went with its state) leaves it to the same
// id elsewhere, or to the head of the row that it was in.
function keepFocus(focused, place, selected) {
  if (!focused || focused === document.body || document.activeElement === focused) return;
  if (document.activeElement && document.activeElement !== document.body) return;
  const heir = focused.isConnected
    ? focused
    : (focused.id && document.getElementById(focused.id)) || (place && document.getElementById(place));
  heir?.focus?.({ preventScroll: true });
  if (selected && heir === focused) heir.setSelectionRange(...selected);
}

// What is selected in a field, or where its caret stands; a field that moves forgets it.
function selection(field) {
  if (!field?.matches?.('input[type="text"], textarea')) return null;
  return [field.selectionStart, field.selectionEnd, field.selectionDirection];
}

function isChild(child) {
  return child !== null && child !== undefined && child !== false && child !== true;
}

// Letters that turn the direction of others let one address read as another (`moc.knab` as `bank.com`):
// they are shown as what they are, a sign that does not belong there.
function describe(child) {
  return typeof child === 'object' ? child : { text: String(child).replace(/[\u202a-\u202e]/g, '\ufffd') };
}

function reconcile(parent, wanted) {
  const keyed = new Map();
  const plain = [];
  for (const node of parent.childNodes) {
    const was = drawn.get(node);
    if (was?.key !== undefined) keyed.set(was.key, node);
    else plain.push(node);
  }
  const nodes = wanted.map((next) => {
    const node = next.key !== undefined ? takeKeyed(keyed, next) : takePlain(plain, next);
    if (node) update(node, next);
    return node ?? create(next, parent.namespaceURI);
  });
  for (const node of [...keyed.values(), ...plain]) node.remove();
  arrange(parent, nodes);
}

// Puts the nodes in their order. The one with the focus stays where it is while the others go round it: a
// node that is moved loses the focus, and a screen reader would read it again.
function arrange(parent, nodes) {
  const focused = nodes.find((node) => node.parentNode === parent && node.contains(document.activeElement));
  let here = parent.firstChild;
  for (const node of nodes) {
    if (node === focused) {
      while (here !== node) {
        const after = here.nextSibling;
        parent.appendChild(here);
        here = after;
      }
    }
    if (node === here) here = here.nextSibling;
    else parent.insertBefore(node, here);
  }
}

function takeKeyed(keyed, next) {
  const node = keyed.get(next.key) ?? roaming.get(next.props?.roam);
  if (!node || drawn.get(node).tag !== next.tag) return null;
  keyed.delete(next.key);
  return node;
}

function takePlain(plain, next) {
  const at = plain.findIndex((node) => drawn.get(node)?.tag === next.tag);
  return at < 0 ? null : plain.splice(at, 1)[0];
}

function create(next, namespace) {
  if (next.tag === undefined) {
    const node = document.createTextNode(next.text);
    drawn.set(node, next);
    return node;
  }
  const space = next.tag === 'svg' ? SVG : namespace === SVG ? SVG : null;
  const node = space ? document.createElementNS(space, next.tag) : document.createElement(next.tag);
  apply(node, {}, next.props);
  drawn.set(node, next);
  reconcile(node, next.children);
  if (next.props.mount) mounted.push([next.props.mount, node]);
  if (next.props.roam) roaming.set(next.props.roam, node);
  return node;
}

function update(node, next) {
  const was = drawn.get(node);
  drawn.set(node, next);
  if (next.tag === undefined) {
    if (was.text !== next.text) node.data = next.text;
    return;
  }
  apply(node, was.props, next.props);
  reconcile(node, next.children);
}

function apply(node, was, props) {
  for (const prop of Object.keys(was)) if (!(prop in props)) set(node, prop, null, was[prop]);
  for (const [prop, value] of Object.entries(props)) if (value !== was[prop]) set(node, prop, value, was[prop]);
}

function set(node, prop, value, was) {
  if (prop === 'key' || prop === 'mount' || prop === 'roam') return;
  if (prop === 'on') {
    for (const event of Object.keys(was ?? {})) if (!value?.[event]) node[`on${event}`] = null;
    for (const [event, handler] of Object.entries(value ?? {})) node[`on${event}`] = handler;
  } else if (prop === 'style') {
    // Through the CSSOM: the page's policy refuses style attributes.
    for (const [property, text] of Object.entries(value ?? {})) node.style.setProperty(property, text);
  } else if (prop === 'value' || prop === 'checked') {
    if (node[prop] !== value) node[prop] = value ?? '';
  } else if (prop.startsWith('aria-') && typeof value === 'boolean') {
    node.setAttribute(prop, String(value));
  } else if (value === null || value === undefined || value === false) {
    node.removeAttribute(prop);
  } else {
    node.setAttribute(prop, value === true ? '' : value);
  }
}
