//! Blocks of lines at the end of a text, and out of it again.

use std::ops::Range;

/// The line end that a text uses.
pub(crate) fn end_of_line(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Each line by its place, its end included.
pub(crate) fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let range = start..start + line.len();
            start = range.end;
            range
        })
        .collect()
}

/// Appends a block; where the text ends without a line end, so does the block, so that [`remove`] gives back
/// what was there. With `gap` an empty line comes first.
pub(crate) fn append(text: &str, block: &[String], gap: bool) -> String {
    let end = end_of_line(text);
    let block = block.join(end);
    if text.is_empty() {
        return format!("{block}{end}");
    }
    let gap = if gap { end } else { "" };
    if text.ends_with('\n') { format!("{text}{gap}{block}{end}") } else { format!("{text}{end}{gap}{block}") }
}

/// Inserts whole lines before the place `at`, where a line begins.
pub(crate) fn insert(text: &str, at: usize, block: &[String]) -> String {
    let end = end_of_line(text);
    let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default());
    if after.is_empty() {
        return append(text, block, false);
    }
    let block: String = block.iter().map(|line| format!("{line}{end}")).collect();
    format!("{before}{block}{after}")
}

/// Takes out the lines at `range`; with `gap` the empty line before them too.
pub(crate) fn remove(text: &str, range: Range<usize>, gap: bool) -> String {
    let mut before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    if gap && let Some(line) = without_end(before) {
        // An empty line is a line end that follows a line end.
        if line.is_empty() || line.ends_with('\n') {
            before = line;
        }
    }
    if after.is_empty() && !text.ends_with('\n') {
        before = without_end(before).unwrap_or(before);
    }
    format!("{before}{after}")
}

/// Puts other lines in the place of those at `range`.
pub(crate) fn replace(text: &str, range: Range<usize>, block: &[String]) -> String {
    let (before, after) = (text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default());
    let end = end_of_line(text);
    let block = block.join(end);
    let had_end = text.get(range).is_some_and(|lines| lines.ends_with('\n'));
    format!("{before}{block}{}{after}", if had_end { end } else { "" })
}

fn without_end(text: &str) -> Option<&str> {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_in_and_out_to_the_byte() {
        let block = ["[x]".to_owned(), "y = 1".to_owned()];
        for text in ["", "a = 1\n", "a = 1", "a = 1\r\nb = 2\r\n", "a = 1\r\nb", "a\n\n", "\n"] {
            for gap in [true, false] {
                let with = append(text, &block, gap);
                let start = with.find("[x]").unwrap_or_default();
                let end = with.find("y = 1").map_or(0, |at| at + 5);
                let end = if with.ends_with('\n') { with.len() } else { end };
                assert_eq!(remove(&with, start..end, gap), text, "{text:?} {gap}");
            }
        }
    }
}
