//! Makes what Tauri needs at compile time: its configuration and the list of what the page may call.

fn main() {
    tauri_build::build();
}
