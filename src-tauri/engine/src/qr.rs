//! QR codes (ISO/IEC 18004), for a page that is opened on another device.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// `text` as an SVG document, dark on white with the margin that scanners need; nothing where it is too
/// long for a code.
#[must_use]
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let mut drawn = code.render::<svg::Color<'_>>();
    drawn.quiet_zone(true).min_dimensions(192, 192);
    Some(drawn.dark_color(svg::Color("#000000")).light_color(svg::Color("#ffffff")).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_and_a_book_is_not() {
        let drawn = svg("https://login.example.com/device?user_code=WDJB-MJHT").unwrap_or_default();
        assert!(drawn.contains("<svg") && drawn.contains("#ffffff") && !drawn.contains("user_code"), "{drawn}");
        assert_eq!(svg(&"x".repeat(5000)), None);
    }
}
