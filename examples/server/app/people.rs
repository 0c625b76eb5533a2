//! Who may ask: the application's own users and keys. The library takes the application's word for who acts.

use std::collections::{BTreeMap, HashMap};

use stocktake::domain::{Actor, SiteAccess, UserId, UserSummary};
use uuid::Uuid;

use super::seed::{Seed, seed_user};

/// Users by token and by id, machines by key.
#[derive(Debug, Default)]
pub(super) struct People {
    by_token: HashMap<String, Actor>,
    by_key: HashMap<String, Actor>,
    names: BTreeMap<UserId, String>,
}

impl People {
    /// Those of a seed file.
    ///
    /// # Errors
    ///
    /// In words, for two of one token or key.
    pub(super) fn of(seed: &Seed) -> Result<Self, String> {
        let mut people = Self::default();
        let seed_file = seed_user();
        people.names.insert(seed_file.id, seed_file.full_name());
        for user in &seed.users {
            let actor = Actor {
                organisation: user.organisation_id,
                user: UserSummary {
                    id: user.id,
                    email: user.email.clone(),
                    first_name: user.first_name.clone().unwrap_or_default(),
                    last_name: user.last_name.clone().unwrap_or_default(),
                },
                role: user.role,
                sites: SiteAccess::Only(user.site_ids.iter().copied().collect()),
            };
            people.names.insert(user.id, actor.user.full_name());
            if people.by_token.insert(user.token.clone(), actor).is_some() {
                return Err(format!("user {}: the token is taken", user.id));
            }
        }
        for (number, key) in seed.api_keys.iter().enumerate() {
            // The id is shown to people, so it must not follow from the key.
            let name = format!("api key {number}");
            let id = Uuid::new_v5(&key.organisation_id.as_uuid(), name.as_bytes());
            let actor = Actor {
                organisation: key.organisation_id,
                user: UserSummary {
                    id: UserId::new(id),
                    email: None,
                    first_name: format!("Machine {}", number.saturating_add(1)),
                    last_name: String::new(),
                },
                role: key.role.to_role(),
                sites: SiteAccess::Only(key.site_ids.iter().copied().collect()),
            };
            people.names.insert(actor.user.id, actor.user.full_name());
            if people.by_key.insert(key.key.clone(), actor).is_some() {
                return Err(format!("API key number {number} is there twice"));
            }
        }
        Ok(people)
    }

    /// The user of a token.
    pub(super) fn with_token(&self, token: &str) -> Option<&Actor> {
        self.by_token.get(token)
    }

    /// The user of an id and its token.
    pub(super) fn with_id_and_token(&self, id: &str, token: &str) -> Option<&Actor> {
        let id: UserId = id.parse().ok()?;
        self.with_token(token).filter(|actor| actor.user.id == id)
    }

    /// The machine of a key.
    pub(super) fn with_key(&self, key: &str) -> Option<&Actor> {
        self.by_key.get(key)
    }

    /// Everybody's full name.
    pub(super) const fn names(&self) -> &BTreeMap<UserId, String> {
        &self.names
    }

    /// A user's full name.
    pub(super) fn name(&self, id: UserId) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }
}
