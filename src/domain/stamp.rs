//! The only door for time and identity.

use super::{Actor, Timestamp};

/// Who does something, and when: handed to every transition, so that the domain needs no clock.
///
/// # Example
///
/// ```
/// # use stocktake::domain::{Actor, OrganisationId, Role, SiteAccess, UserId, UserSummary};
/// use stocktake::domain::{Stamp, Timestamp};
/// # let actor = Actor {
/// #     organisation: OrganisationId::new(uuid::Uuid::nil()),
/// #     user: UserSummary { id: UserId::new(uuid::Uuid::nil()), email: None, first_name: String::new(), last_name: String::new() },
/// #     role: Role::Viewer,
/// #     sites: SiteAccess::All,
/// # };
///
/// let stamp = Stamp { actor, at: Timestamp::EPOCH };
/// assert_eq!(stamp.at.micros(), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Who.
    pub actor: Actor,
    /// When the library began to handle the command.
    pub at: Timestamp,
}
