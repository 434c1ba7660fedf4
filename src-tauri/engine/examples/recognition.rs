//! Prints `docs/recognition.md`, which is made from the rule files: `make docs`.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

fn main() {
    print!("{}", signbell_engine::rules::document());
}
