//! How a machine of Tally's ends itself: with the ticket that it was given.

use async_trait::async_trait;
use protocol::{problem::chain, spend::env};
use rental::{Key, OwnEnd, Refused, deadman::Children, http_client};

/// This machine.
#[derive(Debug)]
pub(super) struct TicketEnd {
    id: Option<String>,
    ticket: Option<Key>,
    url: Option<String>,
}

impl TicketEnd {
    pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            id: lookup("TALLY_SERVER"),
            ticket: lookup("TALLY_TICKET").map(Key::new),
            url: lookup(env::PROVIDER_URL),
        }
    }
}

#[async_trait]
impl OwnEnd for TicketEnd {
    fn machine(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn ways(&self) -> &'static [&'static str] {
        &["Ticket"]
    }

    async fn try_to_end(&self, _: &str, _: &mut Option<Children>) -> Result<(), Refused> {
        let (Some(ticket), Some(url)) = (&self.ticket, &self.url) else {
            return Err(Refused::Now("there is no ticket".to_owned()));
        };
        let refused = |err: reqwest::Error| Refused::Now(chain(&err.without_url()));
        let address = format!("{}/api/self/end", url.trim_end_matches('/'));
        let request = http_client().map_err(refused)?.post(address);
        let answer = request
            .header("x-tally-ticket", ticket.secret())
            .send()
            .await
            .map_err(refused)?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(Refused::Now(format!(
            "the provider responded with status {}",
            answer.status()
        )))
    }
}
