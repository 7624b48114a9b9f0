//! Memory of this machine, and whether a picture or a training of the native engine fits into it. What does not fit is
//! refused with what would: otherwise the system ends the process in the middle of the work.

use std::{fs, path::Path};

use diffusion::{
    base::BaseModel,
    need::{Drawn, gigabytes},
    pipeline::PictureSize,
};
use protocol::recipe::Recipe;
use trainer::need::{Planning, Way};

#[cfg(test)]
mod tests;

/// How a refusal is overridden: an option of every command that computes.
const OVERRIDE: &str = "--ignore-memory";

/// Whether work has to fit into the memory that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// It has to, if that can be known.
    #[default]
    Checked,
    /// Somebody wants it to begin all the same.
    Ignored,
}

/// A training that fits, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fitting {
    pub(crate) way: Way,
    /// What is said of it, a line each.
    pub(crate) said: Vec<String>,
}

impl Room {
    /// With the option or without it.
    pub fn unless(is_ignored: bool) -> Self {
        if is_ignored { Self::Ignored } else { Self::Checked }
    }

    /// Bytes that work may take.
    fn free(self) -> u64 {
        match self {
            Self::Checked => free_bytes().unwrap_or(u64::MAX),
            Self::Ignored => u64::MAX,
        }
    }

    /// Refuses a picture that takes more than is free.
    ///
    /// # Errors
    /// If it does not fit; in words for people.
    pub fn check_picture(self, base: &BaseModel, drawn: &Drawn) -> Result<(), String> {
        picture_within(self.free(), base, drawn)
    }

    /// How a training fits, with gradient checkpointing if it takes that. Measures how fast the base model is.
    ///
    /// # Errors
    /// If it does not fit, or cannot be computed at all; in words for people.
    pub(crate) fn check_training(
        self,
        base: &BaseModel,
        recipe: &Recipe,
        n_pictures: usize,
    ) -> Result<Fitting, String> {
        let planning = Planning::new(base, recipe, n_pictures);
        let free = self.free();
        let way = training_within(free, &planning, recipe)?;
        let mut said = Vec::new();
        if way != Way::of(recipe) {
            said.push(format!(
                "gradient checkpointing is on: without it, this training would take about {} of memory, and {} are free",
                gigabytes(planning.bytes(Way::of(recipe))),
                gigabytes(free)
            ));
        }
        let speed = planning.measure_speed().map_err(|err| err.to_string())?;
        said.push(format!("this takes {}", planning.need(way, speed)));
        Ok(Fitting { way, said })
    }
}

fn picture_within(free: u64, base: &BaseModel, drawn: &Drawn) -> Result<(), String> {
    let bytes = base.picture_bytes(drawn);
    if bytes <= free {
        return Ok(());
    }
    let (width, height) = (drawn.size.width(), drawn.size.height());
    // Sixteenths of the sides keep the shape, as near as sides that are multiples of 64 can.
    let sizes = (1..16).rev().filter_map(|part| {
        let side = |side: u32| side * part / 16 / 64 * 64;
        PictureSize::new(side(width), side(height)).ok()
    });
    let smaller = sizes
        .map(|size| (size, base.picture_bytes(&Drawn { size, ..*drawn })))
        .find(|(_, bytes)| *bytes <= free)
        .map(|(size, bytes)| {
            let (width, height) = (size.width(), size.height());
            format!("{width}x{height} would take about {}", gigabytes(bytes))
        });
    let what = format!("a picture of {width}x{height}");
    Err(refusal(&what, (bytes, free), smaller))
}

fn training_within(
    free: u64,
    planning: &Planning<'_, diffusion::cpu::Cpu>,
    recipe: &Recipe,
) -> Result<Way, String> {
    let way = planning.fitting(free);
    let bytes = planning.bytes(way);
    if bytes <= free {
        return Ok(way);
    }
    let smaller = planning.smaller(free).map(|way| {
        format!(
            "with gradient checkpointing, a batch size of {} and a resolution of {} it would take about {}",
            way.batch_size,
            way.resolution,
            gigabytes(planning.bytes(way))
        )
    });
    let p = recipe.parameters();
    let what = format!(
        "this training at {} pixels with a batch size of {}",
        p.resolution, p.batch_size
    );
    Err(refusal(&what, (bytes, free), smaller))
}

fn refusal(what: &str, (bytes, free): (u64, u64), smaller: Option<String>) -> String {
    let smaller = smaller.unwrap_or_else(|| "nothing smaller would fit either".to_owned());
    format!(
        "{what} takes about {} of memory, and {} are free on this machine; {smaller}; {OVERRIDE} begins all the same",
        gigabytes(bytes),
        gigabytes(free)
    )
}

/// Bytes that this process may still take: what the system has free, or less if a control group limits it. `None` where
/// the system does not say.
pub fn free_bytes() -> Option<u64> {
    free_under(Path::new("/"))
}

/// The same of a system whose files lie under a folder. Pages of files are free: the system takes them back.
fn free_under(root: &Path) -> Option<u64> {
    let meminfo = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let available = field(&meminfo, "MemAvailable:")? * 1024;
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups
        .lines()
        .filter_map(|line| left_in_group(&root.join("sys/fs/cgroup"), line));
    Some(limits.fold(available, u64::min))
}

/// What the limits of a control group and of those around it leave, by its line of `/proc/self/cgroup`.
fn left_in_group(mount: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (mount, [limit, used]) = match controllers {
        "" => (mount.to_owned(), ["memory.max", "memory.current"]),
        named if named.split(',').any(|name| name == "memory") => (
            mount.join("memory"),
            ["memory.limit_in_bytes", "memory.usage_in_bytes"],
        ),
        _ => return None,
    };
    let read = |group: &Path, name: &str| fs::read_to_string(group.join(name)).ok();
    let left = |group: &Path| {
        // "max" is no limit.
        let limit: u64 = read(group, limit)?.trim().parse().ok()?;
        let used: u64 = read(group, used)?.trim().parse().ok()?;
        let stat = read(group, "memory.stat").unwrap_or_default();
        let of_files = ["inactive_file ", "active_file "].map(|name| field(&stat, name).unwrap_or(0));
        Some(limit.saturating_sub(used.saturating_sub(of_files.iter().sum())))
    };
    let group = mount.join(path.trim_start_matches('/'));
    // In a container, the path may be one of the machine's that is not there; the mount itself is the group then.
    let groups = group.ancestors().take_while(|group| group.starts_with(&mount));
    groups.filter_map(left).min()
}

/// A number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
