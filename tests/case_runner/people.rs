//! Who does a step: what people of the vocabulary may do, and which sites they see.

use serde_json::Value;
use stocktake::domain::{Actor, Role, SiteAccess, SiteId, UserId, UserSummary};
use stocktake::service::Caller;

use super::trouble::Tried;
use super::words::Words;
use super::world::{World, id};

/// Somebody of whom the case says more than a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    name: Option<String>,
    /// What they are; without it, what their name says.
    role: Option<String>,
    /// The sites that they see; without any, all.
    sites: Vec<String>,
}

/// What an actor of the vocabulary may do. People who keep the stock but count no takes are the library's service
/// role, which moves stock and never approves or posts; everybody else who is no manager counts.
fn role_of(actor: &str) -> Option<Role> {
    let has = |words: &[&str]| words.iter().any(|word| actor.contains(word));
    if has(&["nobody", "anonymous", "unauthenticated"]) {
        None
    } else if has(&["manager", "admin", "owner", "supervisor", "approver"]) {
        Some(Role::Manager)
    } else if has(&["stock_user", "service", "system", "machine"]) {
        Some(Role::Service)
    } else if has(&["viewer", "reader", "guest", "auditor"]) {
        Some(Role::Viewer)
    } else {
        Some(Role::Counter)
    }
}

impl Person {
    /// A person as a fact or a step describes them.
    pub(crate) fn of(words: &Words) -> Tried<Self> {
        let mut sites = words.texts("sites")?.unwrap_or_default();
        sites.extend(words.either(&["site", "actor_site", "user_site"])?);
        Ok(Self {
            name: words.either(&["actor", "user", "by", "name"])?,
            role: words.text("role")?,
            sites,
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl World {
    /// Who does what the case says nothing about.
    pub(crate) fn host(&self) -> Caller {
        self.caller(&Person::default())
    }

    fn caller(&self, person: &Person) -> Caller {
        let name = person.name().unwrap_or("host_manager");
        let Some(role) = role_of(person.role.as_deref().unwrap_or(name)) else {
            return Caller::nobody();
        };
        let sites: Vec<SiteId> = person.sites.iter().map(|it| self.site_named(it)).collect();
        Caller::of(&Actor {
            organisation: self.organisation,
            user: UserSummary {
                id: UserId::new(id("user", name)),
                email: None,
                first_name: name.to_owned(),
                last_name: String::new(),
            },
            role,
            sites: if sites.is_empty() {
                SiteAccess::All
            } else {
                SiteAccess::Only(sites.into_iter().collect())
            },
        })
    }

    /// Who a step names: by a name, `name@site`, or an object. Beside an actor, `site` is where they work, unless the
    /// step opens something there.
    pub(crate) fn actor(&self, words: &Words) -> Tried<Caller> {
        let field = ["actor", "by", "user"]
            .into_iter()
            .find(|it| words.names(it));
        let mut person = match field.map(|field| (field, words.raw(field))) {
            Some((field, Some(Value::Object(_)))) => Person::of(&words.inner(field)?)?,
            Some((field, _)) => {
                let name = words.text(field)?;
                let known = name
                    .as_ref()
                    .and_then(|name| self.people.get(name))
                    .cloned();
                match (known, name.as_ref().and_then(|name| name.split_once('@'))) {
                    (Some(known), _) => known,
                    (None, Some((name, site))) => Person {
                        name: Some(name.to_owned()),
                        sites: vec![site.to_owned()],
                        ..Person::default()
                    },
                    (None, None) => Person {
                        name,
                        ..Person::default()
                    },
                }
            }
            None => Person::default(),
        };
        person
            .sites
            .extend(words.either(&["actor_site", "user_site"])?);
        if field.is_some() && words.text("op")?.as_deref() != Some("count_open") {
            person.sites.extend(words.text("site")?);
        }
        Ok(self.caller(&person))
    }

    /// Whether a step is done by somebody who does not see every site.
    pub(crate) fn is_of_some_site(&self, words: &Words) -> Tried<bool> {
        let caller = self.actor(words)?;
        let sites = caller.actor().map(|actor| &actor.sites);
        Ok(sites.is_some_and(|sites| matches!(sites, SiteAccess::Only(_))))
    }
}
