//! The page: one file without scripts, requests or fonts of its own.

use super::{
    Parity, apart, files,
    html::{escape, maybe, number},
    runs,
};

const STYLE: &str = include_str!("style.css");

pub(super) fn write(parity: &Parity) -> String {
    let recipe = &parity.recipe;
    let parts = [
        runs::losses(parity),
        runs::schedule(parity),
        files::norms(parity),
        files::spectra(parity),
        files::content(parity),
        runs::verdicts(parity),
        runs::samples(parity),
    ];
    let title = format!("Parity of {}", escape(recipe.name()));
    let p = recipe.parameters();
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><main><header><p class=\"over\">native and kohya on the same pictures, seed and schedule</p>\
         <h1>{title}</h1><p>{} on {}, {} steps, {} to a step, rank {}, learning rate {}, seed {}.</p>{}</header>{}\
         </main></body></html>\n",
        escape(recipe.name()),
        escape(recipe.base_model()),
        p.n_steps,
        match u32::from(p.batch_size) * u32::from(p.gradient_accumulation) {
            1 => "1 picture".to_owned(),
            n => format!("{n} pictures"),
        },
        p.rank,
        number(p.learning_rate),
        p.seed,
        tiles(parity),
        parts.concat()
    )
}

/// What somebody wants to know first.
fn tiles(parity: &Parity) -> String {
    let (runs, total) = (&parity.runs, &parity.files.total);
    let errors = runs.last_tenth.in_standard_errors;
    let ratio = (total.left > 0.0).then(|| total.right / total.left);
    let rates = if runs.learning_rates.are_equal {
        "equal"
    } else {
        "different"
    };
    let tile = |value: String, what: &str, more: String| {
        format!("<div class=\"tile\"><dt>{what}</dt><dd>{value}</dd><dd class=\"more\">{more}</dd></div>")
    };
    let tiles = [
        tile(
            errors.map_or_else(|| "–".to_owned(), |errors| format!("{errors:+.1} σ")),
            "loss, last tenth",
            apart(&runs.last_tenth, "the last tenth"),
        ),
        tile(rates.to_owned(), "learning rates", parity.rates()),
        tile(
            maybe(ratio),
            "norm, kohya / native",
            format!("of all {} modules together", parity.files.modules.len()),
        ),
        tile(
            total
                .cosine
                .map_or_else(|| "–".to_owned(), |cosine| format!("{cosine:.3}")),
            "cosine of the changes",
            "1 is the same direction; two seeds of one engine are below it too".to_owned(),
        ),
    ];
    format!("<dl class=\"tiles\">{}</dl>", tiles.concat())
}
