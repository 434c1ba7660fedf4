// The one door to the program behind the window. Everything that fails comes out of here as
// { kind, code, message }.

const tauri = window.__TAURI__;

/** Asks the program to do something. */
export async function call(command, args) {
  try {
    return await tauri.core.invoke(command, args);
  } catch (error) {
    throw asFailure(error);
  }
}

/** Calls `hear` with the payload of each event: `view`, `notice`. */
export function listen(event, hear) {
  return tauri.event.listen(event, ({ payload }) => hear(payload));
}

// The bridge itself can fail too (an argument that is no name, a command that is not allowed), and then
// says so as a plain text, which is a technical reason and no sentence for a person.
function asFailure(error) {
  if (error && typeof error === 'object' && typeof error.message === 'string' && 'code' in error) return error;
  return { kind: 'failed', code: String(error?.message ?? error), message: '' };
}
