//! What can go wrong with a provider, told apart by what has to be done about it.

use std::{error::Error, fmt, time::Duration};

/// Any reason.
type Source = Box<dyn Error + Send + Sync>;

/// A call to a provider without a result.
#[derive(Debug)]
pub struct CallError {
    /// Who, as people call it.
    pub provider: &'static str,
    /// Why.
    pub fault: CallFault,
}

/// Why a call has no result. The text in a variant is what the provider said.
#[derive(Debug, thiserror::Error)]
pub enum CallFault {
    /// The key is wrong.
    #[error("does not accept the key: {0}")]
    Unauthorized(String),
    /// The key has no right to do this, or the account no access to these machines.
    #[error("forbids this: {0}")]
    Forbidden(String),
    /// The account is empty.
    #[error("says that the account has too little money: {0}")]
    NoFunds(String),
    /// There is no such thing, or not yet.
    #[error("has no such thing: {0}")]
    NotFound(String),
    /// The machine's state does not allow this.
    #[error("cannot do this now: {0}")]
    Conflict(String),
    /// No such machine is free.
    #[error("has no such machine free: {0}")]
    NoCapacity(String),
    /// The request is wrong, and stays so.
    #[error("refuses the request: {0}")]
    Invalid(String),
    /// Too many requests; nothing may be sent before this time has passed.
    #[error("takes no more requests for {retry_after:?}")]
    RateLimited {
        /// As the provider says.
        retry_after: Duration,
    },
    /// The provider could not be reached: nothing was sent.
    #[error("cannot be reached")]
    Unreachable(#[source] Source),
    /// No answer, or one that does not say whether it was done.
    #[error("gave no clear answer to the request for {what}")]
    Unclear {
        /// The call.
        what: &'static str,
        /// What came instead.
        #[source]
        source: Source,
    },
    /// Our own client cannot be made, or cannot ask for this.
    #[error("cannot be asked for {what}")]
    Impossible {
        /// The call.
        what: &'static str,
        /// Why.
        #[source]
        source: Source,
    },
}

impl CallFault {
    /// No clear answer, for this reason.
    pub fn unclear(what: &'static str, source: impl Into<Source>) -> Self {
        Self::Unclear {
            what,
            source: source.into(),
        }
    }

    /// Nothing can be asked, for this reason.
    pub fn impossible(what: &'static str, source: impl Into<Source>) -> Self {
        Self::Impossible {
            what,
            source: source.into(),
        }
    }

    /// The same, of this provider.
    pub fn of(self, provider: &'static str) -> CallError {
        CallError {
            provider,
            fault: self,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.fault)
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// An order without a machine, or one of which nobody knows whether it made a machine.
#[derive(Debug)]
pub struct CreateError {
    /// Who, as people call it.
    pub provider: &'static str,
    /// Why.
    pub fault: CreateFault,
}

/// Why an order gave no machine. The text in a variant is what the provider said.
#[derive(Debug, thiserror::Error)]
pub enum CreateFault {
    /// No such machine is free.
    #[error("has no such machine free: {0}")]
    NoCapacity(String),
    /// The request is wrong for every offer.
    #[error("refuses the request: {0}")]
    Invalid(String),
    /// The account is empty.
    #[error("says that the account has too little money: {0}")]
    NoFunds(String),
    /// The key is wrong, so that no other offer helps.
    #[error("does not accept the key: {0}")]
    Unauthorized(String),
    /// The account has no access to these machines.
    #[error("forbids this: {0}")]
    Forbidden(String),
    /// Nothing was made, and nothing may be sent for a while.
    #[error("takes no more requests for {retry_after:?}")]
    RateLimited {
        /// As the provider says.
        retry_after: Duration,
    },
    /// Nothing was sent, so nothing was made.
    #[error("did not get the order")]
    NotSent(#[source] Box<CallError>),
    /// A machine may exist: look for it by its name before anything else.
    #[error("may or may not have made the machine")]
    Ambiguous(#[source] Box<CallError>),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.provider, self.fault)
    }
}

impl Error for CreateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

impl From<CallError> for CreateError {
    /// What a call that failed means for an order.
    fn from(err: CallError) -> Self {
        let provider = err.provider;
        let fault = match err.fault {
            CallFault::NoCapacity(said) => CreateFault::NoCapacity(said),
            CallFault::NoFunds(said) => CreateFault::NoFunds(said),
            CallFault::Unauthorized(said) => CreateFault::Unauthorized(said),
            CallFault::Forbidden(said) => CreateFault::Forbidden(said),
            CallFault::RateLimited { retry_after } => CreateFault::RateLimited { retry_after },
            // A template, a volume or the path does not exist: wrong for every offer.
            CallFault::NotFound(said) | CallFault::Conflict(said) | CallFault::Invalid(said) => {
                CreateFault::Invalid(said)
            }
            fault @ (CallFault::Unreachable(_) | CallFault::Impossible { .. }) => {
                CreateFault::NotSent(Box::new(fault.of(provider)))
            }
            fault @ CallFault::Unclear { .. } => CreateFault::Ambiguous(Box::new(fault.of(provider))),
        };
        Self { provider, fault }
    }
}

/// What to do about an order that gave no machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Ask for the next offer, under a new name.
    NextCandidate,
    /// Ask again for the same one, under a new name, after this time.
    Wait(Duration),
    /// The job cannot be launched as it is.
    Fail,
    /// Launch nothing with this account until somebody has looked at it.
    StopAccount,
    /// Look for the machine by its name.
    Resolve,
}

/// A provider that cannot be reached is asked again after this time.
const UNREACHABLE_PAUSE: Duration = Duration::from_secs(10);

impl CreateError {
    /// What follows from it (the table of the launch protocol).
    pub fn next_step(&self) -> NextStep {
        match &self.fault {
            CreateFault::NoCapacity(_) | CreateFault::Forbidden(_) => NextStep::NextCandidate,
            CreateFault::Invalid(_) => NextStep::Fail,
            CreateFault::NoFunds(_) | CreateFault::Unauthorized(_) => NextStep::StopAccount,
            CreateFault::RateLimited { retry_after } => NextStep::Wait(*retry_after),
            CreateFault::NotSent(_) => NextStep::Wait(UNREACHABLE_PAUSE),
            CreateFault::Ambiguous(_) => NextStep::Resolve,
        }
    }
}
