//! Paging of lists.

use std::str::FromStr;

use protocol::api::Page;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::{ApiError, ApiResult};

/// Query of one page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// `next` of the previous page.
    pub(crate) after: Option<String>,
    /// Number of entries, 1 to 500.
    #[param(minimum = 1, maximum = 500, default = 100)]
    pub(crate) limit: Option<u32>,
}

/// A checked [`PageQuery`], for a list that is ordered by ids of type `I`.
pub(crate) struct Wanted<I> {
    pub(crate) after: Option<I>,
    n_entries: usize,
}

impl PageQuery {
    pub(crate) fn wanted<I: FromStr>(&self) -> ApiResult<Wanted<I>> {
        let after = self.after.as_deref().map(str::parse).transpose();
        let after = after.map_err(|_| ApiError::field("after", "must be `next` of an earlier response"))?;
        Ok(Wanted {
            after,
            n_entries: within("limit", self.limit, 1..=500, 100)? as usize,
        })
    }
}

impl<I: ToString> Wanted<I> {
    /// Number of entries to read: one more than requested tells whether there is another page.
    pub(crate) fn n_to_read(&self) -> u64 {
        self.n_entries as u64 + 1
    }

    /// Builds the page from what was read.
    pub(crate) fn page<T>(&self, mut items: Vec<T>, id: impl Fn(&T) -> I) -> Page<T> {
        let mut next = None;
        if items.len() > self.n_entries {
            items.truncate(self.n_entries);
            next = items.last().map(|last| id(last).to_string());
        }
        Page { items, next }
    }
}

/// Checks that a number of the query is in its range.
pub(crate) fn within(
    name: &str,
    value: Option<u32>,
    range: std::ops::RangeInclusive<u32>,
    default: u32,
) -> ApiResult<u32> {
    let value = value.unwrap_or(default);
    if range.contains(&value) {
        Ok(value)
    } else {
        let (low, high) = range.into_inner();
        Err(ApiError::field(
            name,
            format!("must be from {low} to {high}, not {value}"),
        ))
    }
}
