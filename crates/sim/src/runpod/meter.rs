//! What a pod costs: its rates over time, in whole numbers.

use chrono::{DateTime, Utc};
use protocol::MicroUsd;

/// Container disk, and a volume while its pod runs: $0.10 for a GB and a month.
const DISK_MONTH: i128 = 100_000;
/// A volume while its pod is stopped: twice as much.
const STOPPED_DISK_MONTH: i128 = 200_000;
const HOURS_IN_A_MONTH: i128 = 730;
const MS_IN_AN_HOUR: i128 = 3_600_000;

/// What is charged at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// All GPUs of the pod, for an hour.
    pub(super) gpu: MicroUsd,
    disk_month: i128,
}

impl Rate {
    pub(super) fn running(gpu: MicroUsd, disk_gb: u32, volume_gb: u32) -> Self {
        Self {
            gpu,
            disk_month: DISK_MONTH * i128::from(disk_gb + volume_gb),
        }
    }

    pub(super) fn stopped(volume_gb: u32) -> Self {
        Self {
            gpu: MicroUsd::ZERO,
            disk_month: STOPPED_DISK_MONTH * i128::from(volume_gb),
        }
    }
}

/// A pod's rates since it was created.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    rates: Vec<(DateTime<Utc>, Rate)>,
    end: Option<DateTime<Utc>>,
}

/// What a time has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amounts {
    pub(super) gpu: MicroUsd,
    pub(super) disk: MicroUsd,
}

impl Amounts {
    pub(super) fn total(self) -> MicroUsd {
        self.gpu + self.disk
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            gpu: self.gpu + other.gpu,
            disk: self.disk + other.disk,
        }
    }
}

impl Meter {
    /// From now on this is charged.
    pub(super) fn set(&mut self, at: DateTime<Utc>, rate: Rate) {
        self.rates.push((at, rate));
    }

    /// From now on nothing is charged any more.
    pub(super) fn stop(&mut self, at: DateTime<Utc>) {
        self.end.get_or_insert(at);
    }

    pub(super) fn rate(&self) -> Option<Rate> {
        if self.end.is_some() {
            return None;
        }
        self.rates.last().map(|(_, rate)| *rate)
    }

    /// Everything until then, each kind rounded up to whole micro-dollars.
    pub(super) fn until(&self, time: DateTime<Utc>) -> Amounts {
        let time = self.end.map_or(time, |end| end.min(time));
        let (mut gpu, mut disk) = (0_i128, 0_i128);
        for (index, (from, rate)) in self.rates.iter().enumerate() {
            let next = self
                .rates
                .get(index + 1)
                .map_or(time, |(next, _)| time.min(*next));
            let ms = i128::from((next - from).num_milliseconds().max(0));
            gpu += i128::from(rate.gpu.0) * ms;
            disk += rate.disk_month * ms;
        }
        Amounts {
            gpu: up(gpu, MS_IN_AN_HOUR),
            disk: up(disk, MS_IN_AN_HOUR * HOURS_IN_A_MONTH),
        }
    }

    /// What was charged in a stretch of time; stretches that touch add up to the whole without a gap.
    pub(super) fn between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Amounts {
        let (before, after) = (self.until(from), self.until(to));
        Amounts {
            gpu: after.gpu - before.gpu,
            disk: after.disk - before.disk,
        }
    }
}

fn up(amount: i128, divisor: i128) -> MicroUsd {
    let whole = amount.div_euclid(divisor) + i128::from(amount.rem_euclid(divisor) != 0);
    MicroUsd(i64::try_from(whole).unwrap_or(i64::MAX))
}
