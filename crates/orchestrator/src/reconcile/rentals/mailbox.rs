//! Machines that communicate with their server through the bucket: the locations, and which machines this server
//! answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use protocol::spend::{InstancePhase, env};
use store::{
    StoreError, attempts,
    spend::{self, Instance},
};

use crate::{Orchestrator, ServiceResult, reconcile::objects::Pass, rentals::Rental, time::time_delta};

impl Orchestrator {
    /// Where a machine's agent finds its mailbox, if it needs one.
    pub(super) fn mailbox_env(&self, rental: &Rental, instance: &Instance) -> BTreeMap<String, String> {
        if !rental.has_mailbox {
            return BTreeMap::new();
        }
        let kill = time_delta(rental.times.kill);
        let valid_for = instance.deadline_at + kill - rental.clock.now();
        let urls = self.store.objects().mailbox_urls(&instance.name, valid_for);
        urls.map_or_else(BTreeMap::new, |urls| {
            let all = [
                (env::MAILBOX_REQUESTS, urls.requests),
                (env::MAILBOX_ANSWERS, urls.answers),
            ];
            all.map(|(name, value)| (name.to_owned(), value)).into()
        })
    }

    /// How often mailboxes are to be looked at, every `look` by a provider's clock; `None` when there are none.
    pub fn mailbox_pace(&self, look: Duration) -> Option<Duration> {
        let paces = self.rentals.iter().filter(|rental| rental.has_mailbox);
        paces.map(|rental| look / rental.time_scale.max(1)).min()
    }

    /// Living machines with a mailbox whose attempt is this server's, by name. Other servers answer the others.
    pub async fn living_mailboxes(&self) -> ServiceResult<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for rental in self.rentals.iter().filter(|rental| rental.has_mailbox) {
            for instance in spend::alive(&self.store, rental.name()).await? {
                let attempt = attempts::get(&self.store, instance.attempt).await?;
                if self.is_ours(&attempt) {
                    found.insert(instance.name);
                }
            }
        }
        Ok(found)
    }

    /// Removes what machines that are gone have left in the bucket; their names.
    pub(crate) async fn collect_mailboxes(&self, pass: Pass) -> ServiceResult<Vec<String>> {
        let objects = self.store.objects();
        let mut gone = Vec::new();
        for machine in objects.mailboxes().await.map_err(StoreError::from)? {
            let instance = spend::get(&self.store, &machine).await?;
            if instance.is_some_and(|instance| instance.phase != InstancePhase::Gone) {
                continue;
            }
            if pass == Pass::Delete {
                let removed = objects.remove_mailbox(&machine).await;
                removed.map_err(StoreError::from)?;
            }
            gone.push(machine);
        }
        Ok(gone)
    }
}
