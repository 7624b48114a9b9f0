//! What a job would cost on rented machines, and whether its user may start it.

use protocol::{
    MicroUsd, OwnerId,
    dataset::Showing,
    job::CreateJob,
    recipe::Recipe,
    spend::{Budget, OfferEstimate, RentalWish},
};
use rental::Offer;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use store::spend::{self, Scopes};

use super::{JobPlan, StepTimes, spend::what_for};
use crate::{
    Orchestrator, ServiceError, ServiceResult,
    rentals::{Rental, estimate},
};

const MOST_GPUS: u32 = 8;
const MOST_NAMES: usize = 16;
const MOST_NAME: usize = 80;
const MOST_LABEL: usize = 40;

/// Where a job is to run, and for how much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) provider: &'a str,
    pub(super) rental: &'a RentalWish,
    pub(super) limit: Option<MicroUsd>,
    pub(super) project: Option<&'a str>,
}

impl<'a> Order<'a> {
    pub(super) fn of(request: &'a CreateJob) -> Self {
        Self {
            provider: &request.provider,
            rental: &request.rental,
            limit: request.limit_micro_usd,
            project: request.project.as_deref(),
        }
    }
}

/// What a job would need and cost.
#[derive(Debug, Clone)]
pub(super) struct Pricing {
    /// GPU memory that the training needs, in GB.
    pub(super) memory_gb: u32,
    /// Every kind of machine that may be asked for, those to be asked for first at the front.
    pub(super) offers: Vec<OfferEstimate>,
    /// The smallest limit with which it could start.
    pub(super) least_limit: Option<MicroUsd>,
    /// Budgets besides its own.
    pub(super) budgets: Vec<Budget>,
    /// Stands for the configuration and the prices.
    pub(super) hash: String,
}

/// What the hash of an estimate covers.
#[derive(Serialize)]
struct Bound<'a> {
    recipe: &'a Recipe,
    pictures: Vec<(&'a str, &'a str, &'a Showing)>,
    provider: &'a str,
    rental: &'a RentalWish,
    rates: Vec<(&'a str, u32, MicroUsd)>,
}

impl Orchestrator {
    /// What a planned job would need and cost.
    pub(super) async fn price(
        &self,
        owner: OwnerId,
        order: &Order<'_>,
        plan: &JobPlan,
        times: &StepTimes,
    ) -> ServiceResult<Pricing> {
        let class = plan.class;
        let memory_gb = estimate::memory_gb(&plan.recipe, class);
        let mut offers = Vec::new();
        let mut budgets = Vec::new();
        if let Some(rental) = self.rental(order.provider) {
            for offer in self.kinds(rental, order.rental).await? {
                let measured = times.on(&offer.gpu);
                let is_measured = measured.is_some();
                let step =
                    measured.unwrap_or_else(|| estimate::step_seconds(&offer.gpu, &plan.recipe, class));
                let seconds = estimate::job_seconds(step, plan.recipe.parameters().n_steps);
                offers.push(estimate::offer(
                    &rental.times,
                    &offer,
                    seconds,
                    is_measured,
                    memory_gb,
                ));
            }
            let scopes = Scopes {
                owner,
                project: order.project.map(str::to_owned),
                month: spend::month_of(rental.clock.now()),
            };
            budgets = spend::budgets_for(&self.store, &scopes).await?;
        }
        let fitting = offers.iter().filter(|offer| offer.unfit.is_none());
        let least_limit = fitting.map(|offer| offer.least_limit_micro_usd).min();
        Ok(Pricing {
            hash: hash(order, plan, &offers),
            memory_gb,
            offers,
            least_limit,
            budgets,
        })
    }

    /// Refuses a job that could not be launched, or whose estimate has changed since its user saw it.
    pub(super) async fn check_rental(
        &self,
        owner: OwnerId,
        request: &CreateJob,
        plan: &JobPlan,
    ) -> ServiceResult<()> {
        let Some(pricing) = self.check_affordable(owner, &Order::of(request), plan).await? else {
            return Ok(());
        };
        match &request.estimate_hash {
            Some(seen) if *seen == pricing.hash => Ok(()),
            Some(_) => Err(ServiceError::Conflict(
                "prices or settings have changed since the estimate was made: check the new estimate, then start \
                     again".to_owned(),
            )),
            None => Err(ServiceError::field(
                "estimate_hash",
                "required for rented machines: `hash` from the response of POST /api/v1/jobs/estimate",
            )),
        }
    }

    /// Refuses a job that could not be launched; `None` if nothing is rented.
    pub(super) async fn check_affordable(
        &self,
        owner: OwnerId,
        order: &Order<'_>,
        plan: &JobPlan,
    ) -> ServiceResult<Option<Pricing>> {
        let Some(rental) = self.rental(order.provider) else {
            return Ok(None);
        };
        let Some(limit) = order.limit else {
            return Err(ServiceError::field(
                "limit_micro_usd",
                format!(
                    "required for `{}`: the total cost limit of the job",
                    order.provider
                ),
            ));
        };
        self.check_not_halted(rental).await?;
        let times = self.step_times(owner, &plan.recipe).await?;
        let pricing = self.price(owner, order, plan, &times).await?;
        let Some(least) = pricing.least_limit else {
            return Err(ServiceError::field("rental.gpus", unfit(order.rental, &pricing)));
        };
        if limit < least {
            return Err(ServiceError::field(
                "limit_micro_usd",
                format!(
                    "must be at least {least}, the minimum for the cheapest machine that fits; {limit} is not enough"
                ),
            ));
        }
        check_left(&pricing.budgets, least)?;
        Ok(Some(pricing))
    }

    /// Refuses to rent where that is paused.
    pub(super) async fn check_not_halted(&self, rental: &Rental) -> ServiceResult<()> {
        match store::settings::halted(&self.store, rental.name()).await? {
            None => Ok(()),
            Some(reason) => Err(ServiceError::Conflict(format!(
                "renting at `{}` is paused until it is resumed: {reason}",
                rental.name()
            ))),
        }
    }

    /// One offer for each kind of machine, wherever it stands.
    pub(super) async fn kinds(&self, rental: &Rental, wish: &RentalWish) -> ServiceResult<Vec<Offer>> {
        let all = rental.landlord.offers(wish, 0).await.map_err(|err| {
            ServiceError::Unavailable(format!(
                "{} did not say what it offers: {}",
                rental.title(),
                protocol::problem::chain(&err)
            ))
        })?;
        let mut kinds: Vec<Offer> = Vec::new();
        for offer in all {
            match kinds
                .iter_mut()
                .find(|kind| kind.gpu == offer.gpu && kind.cloud == offer.cloud)
            {
                Some(kind) => kind.is_in_stock |= offer.is_in_stock,
                None => kinds.push(offer),
            }
        }
        Ok(kinds)
    }
}

fn hash(order: &Order<'_>, plan: &JobPlan, offers: &[OfferEstimate]) -> String {
    let items = plan.manifest.items.iter();
    let bound = Bound {
        recipe: &plan.recipe,
        pictures: items
            .map(|item| (item.sha256.as_str(), item.caption.as_str(), &item.showing))
            .collect(),
        provider: order.provider,
        rental: order.rental,
        rates: offers
            .iter()
            .map(|offer| (offer.gpu.as_str(), offer.n_gpus, offer.rate_micro_usd))
            .collect(),
    };
    let text = serde_json::to_vec(&bound).expect("a recipe is plain data");
    hex::encode(Sha256::digest(text))
}

fn unfit(wish: &RentalWish, pricing: &Pricing) -> String {
    if pricing.offers.is_empty() {
        return if wish.gpus.is_empty() {
            "no machine is available with the requested price, data centers and tiers".to_owned()
        } else {
            format!(
                "none of {} is available with the requested price, data centers and tiers; leave it empty to allow \
                     every GPU that fits",
                wish.gpus.join(", ")
            )
        };
    }
    let reasons: Vec<String> = pricing
        .offers
        .iter()
        .filter_map(|offer| Some(format!("{}: {}", offer.gpu, offer.unfit.as_ref()?)))
        .collect();
    format!(
        "{}; choose a GPU with at least {} GB, or leave it empty",
        reasons.join("; "),
        pricing.memory_gb
    )
}

/// Refuses what the cheapest machine that fits could not be started for.
pub(super) fn check_left(budgets: &[Budget], least: MicroUsd) -> ServiceResult<()> {
    for budget in budgets {
        if let Some(left) = budget.left()
            && left < least
        {
            let left = left.max(MicroUsd::ZERO);
            return Err(ServiceError::Conflict(format!(
                "the budget of {} has {left} left, and the cheapest machine that fits needs {least} to start: raise \
                 that budget, or wait",
                what_for(budget)
            )));
        }
    }
    Ok(())
}

/// Errors of labels.
pub(super) fn check_labels(field: &'static str, labels: &[String]) -> ServiceResult<()> {
    let is_label = |label: &String| {
        (1..=MOST_LABEL).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if labels.len() > MOST_NAMES || !labels.iter().all(is_label) {
        return Err(ServiceError::field(
            field,
            format!("at most {MOST_NAMES}, each of up to {MOST_LABEL} letters, digits, `-`, `_` and `.`"),
        ));
    }
    Ok(())
}

/// What is wrong with an order, whoever rents.
pub(super) fn check_order(order: &Order<'_>) -> ServiceResult<()> {
    if order.limit.is_some_and(|limit| limit <= MicroUsd::ZERO) {
        return Err(ServiceError::field("limit_micro_usd", "must be more than 0"));
    }
    check_rental(order.rental)?;
    if let Some(project) = order.project
        && !(1..=80).contains(&project.trim().chars().count())
    {
        return Err(ServiceError::field("project", "must have 1 to 80 characters"));
    }
    Ok(())
}

/// What is wrong with the machines that are asked for, whoever rents and whether anybody does.
pub(super) fn check_rental(wish: &RentalWish) -> ServiceResult<()> {
    if !(1..=MOST_GPUS).contains(&wish.n_gpus) {
        return Err(ServiceError::field(
            "rental.n_gpus",
            format!("must be from 1 to {MOST_GPUS}, not {}", wish.n_gpus),
        ));
    }
    for (field, names) in [
        ("rental.gpus", &wish.gpus),
        ("rental.data_centers", &wish.data_centers),
    ] {
        let is_name = |name: &String| (1..=MOST_NAME).contains(&name.chars().count());
        if names.len() > MOST_NAMES || !names.iter().all(is_name) {
            return Err(ServiceError::field(
                field,
                format!("at most {MOST_NAMES}, each of up to {MOST_NAME} characters"),
            ));
        }
    }
    if wish.max_rate_micro_usd.is_some_and(|rate| rate <= MicroUsd::ZERO) {
        return Err(ServiceError::field(
            "rental.max_rate_micro_usd",
            "must be more than 0",
        ));
    }
    check_labels("rental.labels", &wish.labels)
}
