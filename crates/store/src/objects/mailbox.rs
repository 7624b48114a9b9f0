//! Mailboxes in a bucket: two objects for each rented machine, by way of which it talks to a server that it cannot
//! reach. The machine has a signed URL of each. A folder has none.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStoreExt, path::Path as ObjectPath};

use super::{BlobError, BlobStore, Place, Result};

const MAILBOXES: &str = "mailbox";

/// S3 signs nothing for longer.
const LONGEST: TimeDelta = TimeDelta::days(7);

/// An object of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// What the machine asks.
    Requests,
    /// What it is answered.
    Answers,
}

/// Where a machine finds its mailbox.
#[derive(Clone, PartialEq, Eq)]
pub struct MailboxUrls {
    /// To `PUT` requests to.
    pub requests: String,
    /// To `GET` answers from.
    pub answers: String,
}

impl BlobStore {
    /// Whether there can be mailboxes.
    pub fn has_mailboxes(&self) -> bool {
        matches!(self.place, Place::Bucket(_))
    }

    /// Signed URLs of a machine's mailbox, valid for a week at most; `None` for a folder.
    pub fn mailbox_urls(&self, machine: &str, valid_for: TimeDelta) -> Option<MailboxUrls> {
        let Place::Bucket(bucket) = &self.place else {
            return None;
        };
        let seconds = valid_for.clamp(TimeDelta::seconds(1), LONGEST).num_seconds();
        let url = |method, slot| bucket.slot_url(method, path(machine, slot).as_ref(), seconds);
        Some(MailboxUrls {
            requests: url("PUT", Slot::Requests),
            answers: url("GET", Slot::Answers),
        })
    }

    /// What lies in a slot, if that is no larger than `most_bytes`.
    pub async fn read_slot(&self, machine: &str, slot: Slot, most_bytes: u64) -> Result<Option<Bytes>> {
        let path = path(machine, slot);
        let found = match self.backend.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed("read", &path, source)),
        };
        let mut stream = found.into_stream();
        let mut bytes = BytesMut::new();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|source| failed("read", &path, source))?;
            if (bytes.len() + part.len()) as u64 > most_bytes {
                return Err(BlobError::FullSlot {
                    path: path.to_string(),
                    most_bytes,
                });
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Some(bytes.freeze()))
    }

    /// Replaces what lies in a slot.
    pub async fn write_slot(&self, machine: &str, slot: Slot, bytes: Bytes) -> Result<()> {
        self.refuse_astray().await?;
        let path = path(machine, slot);
        let put = self.backend.put(&path, bytes.into()).await;
        put.map(drop).map_err(|source| failed("write", &path, source))
    }

    /// Removes a mailbox; one that is not there is fine.
    pub async fn remove_mailbox(&self, machine: &str) -> Result<()> {
        for slot in [Slot::Requests, Slot::Answers] {
            let path = path(machine, slot);
            match self.backend.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(failed("delete", &path, source)),
            }
        }
        Ok(())
    }

    /// The machines that have a mailbox.
    pub async fn mailboxes(&self) -> Result<BTreeSet<String>> {
        if !self.has_mailboxes() {
            return Ok(BTreeSet::new());
        }
        let prefix = ObjectPath::from(MAILBOXES);
        let listed = self.backend.list(Some(&prefix)).map_err(BlobError::List);
        let machines = listed.try_filter_map(async |object| {
            let machine = object.location.parts().nth(1);
            Ok(machine.map(|machine| machine.as_ref().to_owned()))
        });
        machines.try_collect().await
    }
}

fn path(machine: &str, slot: Slot) -> ObjectPath {
    let name = match slot {
        Slot::Requests => "requests.json",
        Slot::Answers => "answers.json",
    };
    ObjectPath::from_iter([MAILBOXES, machine, name])
}

fn failed(doing: &'static str, path: &ObjectPath, source: object_store::Error) -> BlobError {
    BlobError::Slot {
        doing,
        path: path.to_string(),
        source,
    }
}
