//! Prints `docs/config.md`, which is made from the code: `make docs`.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

fn main() {
    print!("{}", signbell_engine::config_document());
}
