//! Embedded tables: lines of columns with tabs between; `#` begins a comment, `-` is an empty cell.

/// The rows of a table. Columns that are missing at the end of a line are empty.
pub(crate) fn rows<const N: usize>(text: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let mut cells = [""; N];
        for (cell, text) in cells.iter_mut().zip(line.split('\t')) {
            *cell = if text == "-" { "" } else { text };
        }
        cells
    })
}

/// The items of a cell.
pub(crate) fn list(cell: &'static str) -> Vec<&'static str> {
    cell.split(',').filter(|item| !item.is_empty()).collect()
}

/// A number as tables write them: decimal, or hexadecimal after `0x`.
pub(crate) fn number(cell: &str) -> Option<u64> {
    match cell.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => cell.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_all_columns() {
        let rows: Vec<[&str; 3]> = rows("# x\n\na\t-\tc\nd\n").collect();
        assert_eq!(rows, [["a", "", "c"], ["d", "", ""]]);
        assert_eq!(list("a,b,"), ["a", "b"]);
        assert_eq!((number("0x1f"), number("12"), number("x")), (Some(31), Some(12), None));
    }
}
