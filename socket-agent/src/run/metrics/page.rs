//! The tables of `docs/losses.md`, made from the register.

use std::{env, fs};

use metrics::{Class, Metric};

use super::{REGISTER, register};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/losses.md");
const COUNTERS: &str = "| counter | unit | counts | loss | missing from the documents | remedy |
|---|---|---|---|---|---|
";
const TOTALS: &str = "| name | unit | counts |\n|---|---|---|\n";
const GAUGES: &str = "| name | unit | measures |\n|---|---|---|\n";

/// A phrase in which pages of the documentation are links.
fn linked(text: &str) -> String {
    let word = |word: &str| -> Option<String> {
        let (before, rest) = word.split_once("docs/")?;
        let end = rest.find([')', ',', ';']).unwrap_or(rest.len());
        let (target, after) = rest.split_at(end);
        let (name, _) = target.split_once(".md")?;
        Some(format!("{before}[{name}.md]({target}){after}"))
    };
    let words = text.split(' ').map(|text| word(text).unwrap_or_else(|| text.to_owned()));
    words.collect::<Vec<_>>().join(" ")
}

fn row(metric: &Metric) -> String {
    let Metric { name, class, unit, counts, missing, remedy } = *metric;
    let counts = linked(counts);
    match class {
        Class::Loss | Class::Notice => {
            let loss = if class == Class::Loss { "yes" } else { "no" };
            let (missing, remedy) = (linked(missing), linked(remedy));
            format!("| `{name}` | {unit} | {counts} | {loss} | {missing} | {remedy} |\n")
        }
        Class::Total | Class::Gauge => format!("| `{name}` | {unit} | {counts} |\n"),
    }
}

/// The page with another table in a section, which has its own.
fn with_table(page: &str, title: &str, head: &str, rows: &str) -> String {
    let heading = format!("\n## {title}\n");
    let (before, section) = page.split_once(&heading).expect("there is the section");
    let (prose, table) = section.split_once(head).expect("the section has a table");
    assert!(!prose.contains("\n## "), "{title} has no table");
    let after = table.find("\n\n").map_or("", |end| &table[end + 1..]);
    format!("{before}{heading}{prose}{head}{rows}{after}")
}

/// Compares the tables with those of the page; `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn the_page_has_every_metric() {
    let page = fs::read_to_string(PAGE).unwrap();
    let mut made = page.clone();
    for group in REGISTER {
        let metrics = group.metrics.iter().copied().flatten();
        let counters = metrics.filter(|metric| matches!(metric.class, Class::Loss | Class::Notice));
        made = with_table(&made, group.title, COUNTERS, &counters.map(row).collect::<String>());
    }
    for (title, head, class) in [("Totals", TOTALS, Class::Total), ("Gauges", GAUGES, Class::Gauge)]
    {
        let rows = register().filter(|metric| metric.class == class).map(row);
        made = with_table(&made, title, head, &rows.collect::<String>());
    }
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, made).unwrap();
    } else {
        assert!(made == page, "docs/losses.md differs; UPDATE_GOLDEN=1 writes it anew\n{made}");
    }
}

#[test]
fn pages_become_links() {
    assert_eq!(linked("see `a` and docs/dns.md"), "see `a` and [dns.md](dns.md)");
    assert_eq!(linked("looked at (docs/a-b.md#place)"), "looked at ([a-b.md](a-b.md#place))");
    assert_eq!(linked("a: docs/dns.md, and"), "a: [dns.md](dns.md), and");
}
