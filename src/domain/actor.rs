//! Who acts.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{OrganisationId, SiteId, UserId};

/// What an actor may do; the matrix is
/// [`service::access::allows`](crate::service::access::allows).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads, counts and asks for adjustments.
    Counter,
    /// Does everything: starts, posts, approves, reopens, deletes.
    Manager,
    /// A machine with a key: moves stock, imports, and runs takes and counts like a manager; never approves.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Counter, Self::Manager, Self::Service];
}

/// The sites an actor may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteAccess {
    /// Every site of the organisation.
    All,
    /// These.
    Only(BTreeSet<SiteId>),
}

/// What a document remembers of a person (`created_by`, `posted_by`).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UserSummary {
    /// The user.
    pub id: UserId,
    /// The e-mail address, if there is one.
    pub email: Option<String>,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
}

impl UserSummary {
    /// First and last name.
    pub fn full_name(&self) -> String {
        [self.first_name.as_str(), self.last_name.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What to call somebody: the full name, without one the e-mail address, or the id.
    pub fn shown_name(&self) -> String {
        let name = self.full_name();
        if !name.trim().is_empty() {
            return name;
        }
        self.email.clone().unwrap_or_else(|| self.id.to_string())
    }
}

impl fmt::Debug for UserSummary {
    /// Only the id: names and e-mail addresses stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserSummary")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Who acts: a user of an organisation, with a role and the sites it may see.
///
/// The host authenticates; the library takes its word.
///
/// # Example
///
/// ```
/// use stocktake::domain::{Actor, OrganisationId, Role, SiteAccess, SiteId, UserId, UserSummary};
/// use uuid::Uuid;
///
/// let site = SiteId::new(Uuid::from_u128(7));
/// let actor = Actor {
///     organisation: OrganisationId::new(Uuid::from_u128(1)),
///     user: UserSummary {
///         id: UserId::new(Uuid::from_u128(2)),
///         email: Some("dan@example.com".into()),
///         first_name: "Dan".into(),
///         last_name: "Johnson".into(),
///     },
///     role: Role::Counter,
///     sites: SiteAccess::Only([site].into()),
/// };
/// assert!(actor.sees(site));
/// assert_eq!(actor.user.full_name(), "Dan Johnson");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The organisation; nothing of another one exists for the actor.
    pub organisation: OrganisationId,
    /// The user.
    pub user: UserSummary,
    /// What it may do.
    pub role: Role,
    /// Where.
    pub sites: SiteAccess,
}

impl Actor {
    /// Whether the actor may see a site of its organisation.
    pub fn sees(&self, site: SiteId) -> bool {
        match &self.sites {
            SiteAccess::All => true,
            SiteAccess::Only(sites) => sites.contains(&site),
        }
    }
}
