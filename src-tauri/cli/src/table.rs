//! Columns, as wide as they must be.

use crate::output::field;

/// `rows` below `head`, two spaces between the columns; what comes from elsewhere can't break a row.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let clean: Vec<[String; N]> = rows.iter().map(|row| std::array::from_fn(|i| field(&row[i]))).collect();
    let head: [String; N] = head.map(str::to_owned);
    let lines: Vec<&[String; N]> = std::iter::once(&head).chain(&clean).collect();
    let widths: [usize; N] = std::array::from_fn(|i| lines.iter().map(|row| width(&row[i])).max().unwrap_or(0));
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let padded: Vec<String> = cells.map(|(cell, w)| format!("{cell}{}", " ".repeat(w - width(cell)))).collect();
        padded.join("  ").trim_end().to_owned()
    };
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_rows_stay_rows() {
        let rows = [["ada · Linear".to_owned(), "Signed in".to_owned()], ["é\nfake row".to_owned(), String::new()]];
        assert_eq!(
            table(["ACCOUNT", "STATE"], &rows),
            "ACCOUNT         STATE\n\
             ada · Linear    Signed in\n\
             é\\u{a}fake row"
        );
    }
}
