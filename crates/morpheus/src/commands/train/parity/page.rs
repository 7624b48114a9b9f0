//! The page: one file without scripts, requests or fonts of its own.

use maud::{DOCTYPE, PreEscaped, html};

use super::{
    Parity, apart, files,
    html::{maybe, number},
    runs,
};

const STYLE: &str = include_str!("style.css");

pub(super) fn write(parity: &Parity) -> String {
    let recipe = &parity.recipe;
    let title = format!("Parity of {}", recipe.name());
    let p = recipe.parameters();
    let pictures = match u32::from(p.batch_size) * u32::from(p.gradient_accumulation) {
        1 => "1 picture".to_owned(),
        n => format!("{n} pictures"),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p class="over" { "native and kohya on the same pictures, seed and schedule" }
                        h1 { (title) }
                        p {
                            (recipe.name()) " on " (recipe.base_model()) ", " (p.n_steps) " steps, " (pictures)
                            " to a step, rank " (p.rank) ", learning rate " (number(p.learning_rate)) ", seed "
                            (p.seed) "."
                        }
                        (tiles(parity))
                    }
                    (runs::losses(parity))
                    (runs::schedule(parity))
                    (files::norms(parity))
                    (files::spectra(parity))
                    (files::content(parity))
                    (runs::verdicts(parity))
                    (runs::samples(parity))
                }
            }
        }
    };
    page.into_string()
}

/// What somebody wants to know first.
fn tiles(parity: &Parity) -> maud::Markup {
    let (runs, total) = (&parity.runs, &parity.files.total);
    let ratio = (total.left > 0.0).then(|| total.right / total.left);
    let rates = if runs.learning_rates.are_equal {
        "equal"
    } else {
        "different"
    };
    let dash = || "–".to_owned();
    let errors = runs.last_tenth.in_standard_errors;
    let tiles = [
        (
            "loss, last tenth",
            errors.map_or_else(dash, |errors| format!("{errors:+.1} σ")),
            apart(&runs.last_tenth, "the last tenth"),
        ),
        ("learning rates", rates.to_owned(), parity.rates()),
        (
            "norm, kohya / native",
            maybe(ratio),
            format!("of all {} modules together", parity.files.modules.len()),
        ),
        (
            "cosine of the changes",
            total.cosine.map_or_else(dash, |cosine| format!("{cosine:.3}")),
            "1 is the same direction; two seeds of one engine are below it too".to_owned(),
        ),
    ];
    html! {
        dl class="tiles" {
            @for (what, value, more) in tiles {
                div class="tile" { dt { (what) } dd { (value) } dd class="more" { (more) } }
            }
        }
    }
}
