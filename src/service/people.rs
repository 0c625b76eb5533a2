//! What people are called.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{OrganisationId, UserId};
use crate::store::StoreError;

use super::{Error, Stocktake};

/// Tells what users are called ([`Stocktake::with_people`]). The library keeps the names of those who created, posted or
/// decided something with it; of those who counted a line or recorded an event it keeps the id, and asks for the name
/// when it writes a file or prints a page for people.
///
/// Names that do not change while a process runs can be given as a map.
///
/// # Example
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
/// use stocktake::memory::MemoryStore;
/// use stocktake::domain::UserId;
/// use stocktake::service::Stocktake;
/// use uuid::Uuid;
///
/// let ann = UserId::new(Uuid::from_u128(2));
/// let people = BTreeMap::from([(ann, "Ann Lee".to_owned())]);
/// let stocktake = Stocktake::new(Arc::new(MemoryStore::new())).with_people(Arc::new(people));
/// # let _ = stocktake;
/// ```
#[async_trait]
pub trait People: Debug + Send + Sync + 'static {
    /// The names of some users of an organisation. Who is left out is shown by the id.
    ///
    /// # Errors
    ///
    /// When they can't be looked up now: the call that needs them fails, or the job is tried again later.
    async fn names(
        &self,
        organisation: OrganisationId,
        users: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, String>, StoreError>;
}

/// The same names in every organisation, as users have ids that nobody else has.
#[async_trait]
impl People for BTreeMap<UserId, String> {
    async fn names(
        &self,
        _organisation: OrganisationId,
        users: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, String>, StoreError> {
        let named = |user: &UserId| Some((*user, self.get(user)?.clone()));
        Ok(users.iter().filter_map(named).collect())
    }
}

impl Stocktake {
    /// The same library with names for those of whom it keeps only the id: on receipts, in variance reports and in files for
    /// people.
    #[must_use]
    pub fn with_people(mut self, people: Arc<dyn People>) -> Self {
        self.people = Some(people);
        self
    }

    /// The names of users, as far as the host tells any.
    pub(super) async fn names_of(
        &self,
        organisation: OrganisationId,
        users: &BTreeSet<UserId>,
    ) -> Result<BTreeMap<UserId, String>, Error> {
        match &self.people {
            Some(people) if !users.is_empty() => people
                .names(organisation, users)
                .await
                .map_err(Error::Store),
            _ => Ok(BTreeMap::new()),
        }
    }
}
