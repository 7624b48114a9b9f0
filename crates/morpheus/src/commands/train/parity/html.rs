//! Text and numbers as the page shows them.

use maud::{Markup, Render, html};

/// Four digits that matter.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size == 0.0 => "0".to_owned(),
        _ if !size.is_finite() => value.to_string(),
        _ if !(1e-3..1e5).contains(&size) => format!("{value:.2e}"),
        _ if size >= 1000.0 => format!("{value:.0}"),
        _ if size >= 100.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

/// The same, or a dash.
pub(super) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// A table; the first cell of each row is its heading.
pub(super) fn table<Cell: Render>(head: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> Markup {
    html! {
        // A wide table is scrolled by itself, also with keys.
        div class="wide" tabindex="0" {
            table {
                thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A part of the page.
pub(super) fn section(title: &str, body: &Markup) -> Markup {
    html! { section { h2 { (title) } (body) } }
}
