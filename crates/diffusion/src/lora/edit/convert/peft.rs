//! PEFT's configurations, which diffusers keeps in headers too: from them PEFT makes empty layers, whose shapes must be
//! those of the file.

use serde_json::{Map, Value, json};

use super::{
    Names,
    member::{Kind, Member, Strength},
};
use crate::lora::{
    change::{Change, Factor, Hadamard, Kronecker, Side},
    edit::{EditError, matrices::kernel_of},
};

/// More than any layer of SDXL has: 10,240.
const MAX_FEATURES: usize = 1 << 16;
/// More than the sides of a LoKr's first matrices that one factor gives in SDXL, whose layers have 14 sizes.
const MAX_FACTORS: usize = 64;

/// The configuration of one part of the model, and what it says of each module's strength.
///
/// # Errors
/// If PEFT has no configuration from which all of these modules would be made.
pub(super) fn config(
    members: &[(String, Member<'_>)],
    to: Names,
) -> Result<(Map<String, Value>, Vec<Strength>), EditError> {
    let kind = members.first().map_or(Kind::Lora, |(_, first)| first.kind);
    let first = members.first();
    let other = members.iter().find(|(_, member)| member.kind != kind);
    if let (Some((_, first)), Some((_, other))) = (first, other) {
        let kinds = format!("{} beside {}", other.described(), first.described());
        return Err(other.not_held(kinds, to));
    }
    let of_members =
        || -> Vec<Strength> { members.iter().filter_map(|(_, member)| member.strength).collect() };
    let (strengths, alpha, own) = match kind {
        Kind::Loha => (of_members(), "alpha", loha(members, to)?),
        Kind::Lokr => {
            let (strengths, own) = lokr(members, to)?;
            (strengths, "alpha", own)
        }
        Kind::Lora | Kind::Dora | Kind::Other => (of_members(), "lora_alpha", lora(kind == Kind::Dora)),
    };
    let paths = members.iter().map(|(path, _)| path.as_str());
    let mut fields = of_strengths(paths, &strengths, alpha);
    fields.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Ok((fields, strengths))
}

type Own = Vec<(&'static str, Value)>;

fn lora(use_dora: bool) -> Own {
    vec![
        ("peft_type", json!("LORA")),
        ("lora_dropout", json!(0.0)),
        ("bias", json!("none")),
        ("use_dora", json!(use_dora)),
        ("use_rslora", json!(false)),
    ]
}

fn loha(members: &[(String, Member<'_>)], to: Names) -> Result<Own, EditError> {
    let layout = |member: &Member<'_>| match member.change() {
        Some(Change::Hadamard(hadamard)) => of_hadamard(hadamard, kernel_of(member.name())),
        _ => None,
    };
    let use_effective_conv2d = of_convolutions(members, to, layout)?;
    Ok(vec![
        ("peft_type", json!("LOHA")),
        ("rank_dropout", json!(0.0)),
        ("module_dropout", json!(0.0)),
        ("init_weights", json!(true)),
        ("use_effective_conv2d", json!(use_effective_conv2d)),
    ])
}

fn lokr(members: &[(String, Member<'_>)], to: Names) -> Result<(Vec<Strength>, Own), EditError> {
    let sides = |member: &Member<'_>| match member.change() {
        Some(Change::Kronecker(kronecker)) => Sides::of(kronecker, kernel_of(member.name())),
        _ => None,
    };
    let use_effective_conv2d = of_convolutions(members, to, |member| Some(sides(member)?.layout))?;
    let all: Vec<Sides> = members.iter().filter_map(|(_, member)| sides(member)).collect();
    let not_held = |member: &Member<'_>| {
        let kind = format!("{} whose shapes PEFT would not give it", member.described());
        member.not_held(kind, to)
    };
    let Some(factor) = factor_of(&all) else {
        let odd = members
            .iter()
            .zip(&all)
            .find(|(_, sides)| !sides.are_made_by(None));
        return Err(not_held(odd.map_or(&members[0].1, |((_, member), _)| member)));
    };
    let decompose_both = all.iter().any(|sides| sides.ranks[0].is_some());
    let mut strengths = Vec::new();
    for ((_, member), sides) in members.iter().zip(&all) {
        let Some(Change::Kronecker(kronecker)) = member.change() else {
            continue;
        };
        let Some(rank) = sides.rank(kronecker.alpha, decompose_both) else {
            return Err(not_held(member));
        };
        let alpha = member.strength.map(|strength| strength.alpha);
        strengths.push(Strength {
            rank,
            alpha: alpha.unwrap_or(kronecker.scale() * rank as f64),
        });
    }
    let own = vec![
        ("peft_type", json!("LOKR")),
        ("rank_dropout", json!(0.0)),
        ("rank_dropout_scale", json!(false)),
        ("module_dropout", json!(0.0)),
        ("init_weights", json!(true)),
        ("use_effective_conv2d", json!(use_effective_conv2d)),
        ("decompose_both", json!(decompose_both)),
        (
            "decompose_factor",
            factor.map_or(json!(-1), |factor| json!(factor)),
        ),
    ];
    Ok((strengths, own))
}

/// How a product is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Of a linear layer, of a 1×1 convolution, or no product.
    Plain,
    /// Of a larger convolution, whose kernel stands in the columns.
    Flat,
    /// Of a larger convolution, with a core.
    Tucker,
}

impl Layout {
    /// None if PEFT makes no such factors for a layer with this kernel.
    fn of(factor: &Factor, kernel: Option<[usize; 2]>) -> Option<Self> {
        let larger = kernel.filter(|kernel| *kernel != [1, 1]);
        match (&factor.core, larger) {
            (None, larger) => {
                let layout = larger.map_or(Self::Plain, |_| Self::Flat);
                (factor.a.rank() == 2 && factor.b.rank() == 2).then_some(layout)
            }
            (Some(core), Some([height, width])) => {
                let rank = factor.rank();
                (*core.dims() == [rank, rank, height, width]).then_some(Self::Tucker)
            }
            (Some(_), None) => None,
        }
    }
}

fn of_hadamard(hadamard: &Hadamard, kernel: Option<[usize; 2]>) -> Option<Layout> {
    let [first, second] = &hadamard.factors;
    let layout = Layout::of(first, kernel)?;
    (first.rank() == second.rank() && Layout::of(second, kernel) == Some(layout)).then_some(layout)
}

/// Whether the larger convolutions have cores: all of them or none, as PEFT makes them.
fn of_convolutions(
    members: &[(String, Member<'_>)],
    to: Names,
    layout: impl Fn(&Member<'_>) -> Option<Layout>,
) -> Result<bool, EditError> {
    let mut flat = None;
    let mut n_cores = 0;
    for (_, member) in members {
        match layout(member) {
            Some(Layout::Plain) => {}
            Some(Layout::Flat) => flat = Some(member),
            Some(Layout::Tucker) => n_cores += 1,
            None => {
                let kind = format!("{} whose shapes PEFT would not give it", member.described());
                return Err(member.not_held(kind, to));
            }
        }
    }
    match flat {
        Some(member) if n_cores > 0 => {
            let kind = format!("{} without a core beside {n_cores} with one", member.described());
            Err(member.not_held(kind, to))
        }
        _ => Ok(n_cores > 0),
    }
}

/// Sizes of the two sides of a LoKr: `outer ⊗ inner`, each of outputs and inputs.
struct Sides {
    outer: [usize; 2],
    inner: [usize; 2],
    /// Of those that are products.
    ranks: [Option<usize>; 2],
    /// Of the second.
    layout: Layout,
}

impl Sides {
    /// None if PEFT makes no such matrices for a layer with this kernel.
    fn of(kronecker: &Kronecker, kernel: Option<[usize; 2]>) -> Option<Self> {
        let (outer, outer_rank) = match &kronecker.first {
            Side::Whole(matrix) => match *matrix.dims() {
                [rows, columns] => ([rows, columns], None),
                _ => return None,
            },
            Side::Product(factor) => {
                Layout::of(factor, None)?;
                (
                    [factor.a.dim(0).ok()?, factor.b.dim(1).ok()?],
                    Some(factor.rank()),
                )
            }
        };
        let (inner, inner_rank, layout) = match &kronecker.second {
            Side::Whole(matrix) => {
                let (size, own) = match *matrix.dims() {
                    [rows, columns] => ([rows, columns], None),
                    [rows, columns, height, width] => ([rows, columns], Some([height, width])),
                    _ => return None,
                };
                if own != kernel {
                    return None;
                }
                (size, None, Layout::Plain)
            }
            Side::Product(factor) => {
                let layout = Layout::of(factor, kernel)?;
                let (a, b) = (&factor.a, factor.b.dim(1).ok()?);
                let size = match layout {
                    Layout::Tucker => [a.dim(1).ok()?, b],
                    Layout::Plain | Layout::Flat => {
                        let kernel = kernel.map_or(1, |[height, width]| height * width);
                        if !b.is_multiple_of(kernel) {
                            return None;
                        }
                        [a.dim(0).ok()?, b / kernel]
                    }
                };
                (size, Some(factor.rank()), layout)
            }
        };
        Some(Self {
            outer,
            inner,
            ranks: [outer_rank, inner_rank],
            layout,
        })
    }

    /// Whether PEFT takes a layer apart so; none stands for −1.
    fn are_made_by(&self, factor: Option<usize>) -> bool {
        self.outer.into_iter().zip(self.inner).all(|(outer, inner)| {
            let features = outer.checked_mul(inner);
            features.is_some_and(|n| n <= MAX_FEATURES && taken_apart(n, factor) == (outer, inner))
        })
    }

    /// The rank with which PEFT makes products where there are some, and whole matrices where there are those. None if no
    /// rank does. One that has no effect is that of `alpha`, so that the strength is 1 as LyCORIS has it.
    fn rank(&self, alpha: Option<f64>, decompose_both: bool) -> Option<usize> {
        let [outer, inner] = [self.outer, self.inner].map(|[rows, columns]| rows.max(columns));
        let rank = match self.ranks {
            [Some(outer), Some(inner)] if outer != inner => return None,
            [Some(rank), _] | [None, Some(rank)] => rank,
            [None, None] => {
                let least = inner.max(if decompose_both { outer } else { 1 }).div_ceil(2);
                match alpha {
                    Some(alpha) if alpha.fract() == 0.0 && (least as f64..=1e6).contains(&alpha) => {
                        alpha as usize
                    }
                    _ => least,
                }
            }
        };
        let are_products = [decompose_both && 2 * rank < outer, 2 * rank < inner];
        (self.ranks.map(|rank| rank.is_some()) == are_products).then_some(rank)
    }
}

/// The factor from which PEFT takes all layers apart as they are; none within stands for −1.
fn factor_of(all: &[Sides]) -> Option<Option<usize>> {
    let mut factors: Vec<usize> = all.iter().flat_map(|sides| sides.outer).collect();
    factors.sort_unstable();
    factors.dedup();
    if factors.len() > MAX_FACTORS {
        return None;
    }
    let mut candidates = std::iter::once(None).chain(factors.into_iter().map(Some));
    candidates.find(|factor| all.iter().all(|sides| sides.are_made_by(*factor)))
}

/// How PEFT and LyCORIS take a number of features apart (`factorization` in `peft/tuners/lokr/layer.py`): by the factor, if
/// it divides them, or else by the largest divisor that is neither above it nor above the root.
fn taken_apart(n: usize, factor: Option<usize>) -> (usize, usize) {
    match factor {
        Some(factor) if n.is_multiple_of(factor) => (factor, n / factor),
        _ => {
            let most = factor.unwrap_or(n).min(n.isqrt());
            let outer = (1..=most)
                .rev()
                .find(|outer| n.is_multiple_of(*outer))
                .unwrap_or(1);
            (outer, n / outer)
        }
    }
}

/// Ranks and alphas: the most common ones, and by module what differs.
fn of_strengths<'a>(
    paths: impl Iterator<Item = &'a str> + Clone,
    strengths: &[Strength],
    alpha_key: &str,
) -> Map<String, Value> {
    let rank = most_common(strengths.iter().map(|strength| strength.rank as f64));
    let alpha = most_common(strengths.iter().map(|strength| strength.alpha));
    let mut ranks = Map::new();
    let mut alphas = Map::new();
    for (path, strength) in paths.clone().zip(strengths) {
        if strength.rank as f64 != rank {
            ranks.insert(path.to_owned(), json!(strength.rank));
        }
        if strength.alpha != alpha {
            alphas.insert(path.to_owned(), number(strength.alpha));
        }
    }
    let targets: Vec<&str> = paths.collect();
    let fields = [
        ("r", json!(rank as usize)),
        (alpha_key, number(alpha)),
        ("rank_pattern", Value::Object(ranks)),
        ("alpha_pattern", Value::Object(alphas)),
        ("target_modules", json!(targets)),
    ];
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A whole number without a point, as PEFT writes alphas.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e9 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// Of several numbers that are equally common, the smallest.
fn most_common(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    let runs = numbers.chunk_by(|a, b| a == b);
    let longest = runs.rev().max_by_key(|run| run.len());
    longest.and_then(|run| run.first()).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests;
