//! Who calls, and with which idempotency key.

use crate::domain::Actor;
use crate::store::IdempotencyKey;

/// The caller of an operation.
///
/// # Example
///
/// ```
/// use stocktake::service::Caller;
/// use stocktake::store::IdempotencyKey;
/// # let actor = stocktake::testing::shop().manager;
///
/// let once = Caller::of(&actor).with_key(IdempotencyKey::new("order-17")?);
/// assert!(once.key().is_some());
/// # Ok::<(), stocktake::store::InvalidKey>(())
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    actor: Option<Actor>,
    key: Option<IdempotencyKey>,
}

impl Caller {
    /// An actor that the host has authenticated.
    pub fn of(actor: &Actor) -> Self {
        Self {
            actor: Some(actor.clone()),
            key: None,
        }
    }

    /// Nobody: every call is [`Error::Unauthenticated`](super::Error::Unauthenticated).
    pub const fn nobody() -> Self {
        Self {
            actor: None,
            key: None,
        }
    }

    /// The same caller, whose next command is done once however often it is sent (S6.3). The key is good for
    /// one operation of the organisation.
    #[must_use]
    pub fn with_key(mut self, key: IdempotencyKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The actor.
    pub const fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// The idempotency key.
    pub const fn key(&self) -> Option<&IdempotencyKey> {
        self.key.as_ref()
    }
}
