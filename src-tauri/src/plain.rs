//! Text from elsewhere, made safe to put into a menu or a notification.

/// How much of a text is shown. Providers choose names, and a name can be a book.
const LONGEST: usize = 240;

/// `text` on one line, without what would turn its reading direction or hide it, cut where it is
/// longer than anyone reads.
pub(crate) fn plain(text: &str) -> String {
    let mut kept = text.chars().filter(|c| !steers(*c)).map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = kept.by_ref().take(LONGEST).collect();
    if kept.next().is_some() {
        shown.push('…');
    }
    shown
}

/// `text` for a notification server that reads markup.
pub(crate) fn markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Unicode's invisible steering characters: marks, embeddings, overrides and isolates.
fn steers(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u1_names_stay_text() {
        for (given, shown) in [
            ("Linear (work)", "Linear (work)"),
            ("<img onerror=x>", "<img onerror=x>"),
            ("ada\u{202e}moc.live", "adamoc.live"),
            ("a\nb\tc\u{1b}[31m", "a b c [31m"),
            ("\u{2066}x\u{2069}\u{200b}", "x"),
            ("日本 🔔", "日本 🔔"),
        ] {
            assert_eq!(plain(given), shown, "{given:?}");
        }
        assert_eq!(plain(&"é".repeat(240)), "é".repeat(240));
        assert_eq!(plain(&"é".repeat(241)), format!("{}…", "é".repeat(240)));
        assert_eq!(markup("<b>R&D</b>"), "&lt;b&gt;R&amp;D&lt;/b&gt;");
    }
}
