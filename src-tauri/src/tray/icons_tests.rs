//! The tray's pictures: each state can be told from the others, and seen, on every panel.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tauri::image::Image;

const STATES: [&str; 4] = ["fine", "needs-you", "working", "paused"];
/// Grounds, as red, green and blue: what is drawn for light panels is seen on the first, for dark ones on the
/// second, and for those that nobody tells of on both.
const LIGHT: [[u8; 3]; 2] = [[0xff, 0xff, 0xff], [0xd8, 0xd8, 0xd8]];
const DARK: [[u8; 3]; 2] = [[0x00, 0x00, 0x00], [0x3c, 0x3c, 0x3c]];
const PANELS: [(&str, &[[u8; 3]]); 3] =
    [("light", &LIGHT), ("dark", &DARK), ("any", &[LIGHT[0], LIGHT[1], DARK[0], DARK[1]])];
const SIZES: [u32; 3] = [16, 24, 32];

/// WCAG 2.2, success criterion 1.4.11: what is needed to understand a graphic.
const LEAST_CONTRAST: f64 = 3.0;

fn picture(state: &str, panel: &str, size: u32) -> Image<'static> {
    let at = if size == 32 { String::new() } else { format!("@{size}") };
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../icons"));
    Image::from_bytes(&std::fs::read(folder.join(format!("tray-{state}-{panel}{at}.png"))).unwrap()).unwrap()
}

/// A pixel over a panel.
fn over(pixel: &[u8], panel: [u8; 3]) -> [f64; 3] {
    let alpha = f64::from(pixel[3]) / 255.0;
    std::array::from_fn(|i| (f64::from(pixel[i]) * alpha + f64::from(panel[i]) * (1.0 - alpha)) / 255.0)
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_state_is_seen_on_every_panel_and_told_from_the_others() {
    for (panel, grounds) in PANELS {
        for size in SIZES {
            let mut all = BTreeSet::new();
            for state in STATES {
                let name = format!("{state} on {panel} at {size}");
                let picture = picture(state, panel, size);
                assert_eq!((picture.width(), picture.height()), (size, size), "{name}");
                let pixels: Vec<&[u8]> = picture.rgba().chunks_exact(4).collect();
                // The corners are the panel's.
                assert!(pixels[0][3] == 0 && pixels[pixels.len() - 1][3] == 0, "{name} has a ground of its own");
                for &ground in grounds {
                    let behind = luminance(over(&[0, 0, 0, 0], ground));
                    let seen = pixels.iter().filter(|p| contrast(luminance(over(p, ground)), behind) >= LEAST_CONTRAST);
                    // A bell's outline is about a tenth of its square.
                    let part = seen.count() as f64 / f64::from(size * size);
                    assert!(part > 0.08, "{name}: {part:.3} of it is seen on {ground:?}");
                }
                assert!(all.insert(picture.rgba().to_vec()), "{name} is like another");
            }
            // "Working" has the shape of "fine", and is told from it by its weight.
            let weight = |state: &str| -> f64 {
                picture(state, panel, size).rgba().chunks_exact(4).map(|p| f64::from(p[3])).sum()
            };
            let ratio = weight("working") / weight("fine");
            assert!((0.4..0.8).contains(&ratio), "working is {ratio:.2} of fine on {panel} at {size}");
        }
    }
}

#[test]
fn only_what_needs_the_person_has_a_colour() {
    for (panel, _) in PANELS {
        for size in SIZES {
            for state in STATES {
                let coloured = picture(state, panel, size).rgba().chunks_exact(4).any(|p| {
                    let (most, least) = (p[..3].iter().max().unwrap(), p[..3].iter().min().unwrap());
                    p[3] > 128 && most - least > 60
                });
                assert_eq!(coloured, state == "needs-you", "{state} on {panel} at {size}");
            }
        }
    }
}

/// `make.sh` writes down of what it made them. Drawing them here anew would want its tool on every machine.
#[test]
fn the_pictures_are_those_that_the_script_made() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../icons"));
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let told: BTreeSet<&str> = sums.lines().filter_map(|line| line.split("  ").nth(1)).collect();
    let files: BTreeSet<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let others: Vec<_> = files.iter().filter(|name| *name != "SHA256SUMS" && !told.contains(name.as_str())).collect();
    assert!(others.is_empty() && told.len() > 30, "not made by make.sh: {others:?}");
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(folder);
    let check = check.output().unwrap();
    assert!(check.status.success(), "run icons/make.sh: {}", String::from_utf8_lossy(&check.stdout));
}
