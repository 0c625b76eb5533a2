//! What is remembered of commands.

use std::collections::{BTreeMap, HashMap};

use crate::domain::Timestamp;
use crate::store::{Command, CommandId, Outcome};

/// The commands of an organisation.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    known: HashMap<CommandId, Known>,
    by_time: BTreeMap<Timestamp, Vec<CommandId>>,
}

/// What is known of a command.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It was applied.
    Applied(Command),
    /// It was settled as never applied (R13).
    Void,
}

impl Commands {
    pub(super) fn get(&self, id: &CommandId) -> Option<&Known> {
        self.known.get(id)
    }

    /// Remembers a command that was applied.
    pub(super) fn remember(&mut self, command: &Command) {
        self.keep(
            command.id.clone(),
            command.at,
            Known::Applied(command.clone()),
        );
    }

    /// What a command resulted in; one that was not applied never will be.
    pub(super) fn settle(&mut self, id: &CommandId, at: Timestamp) -> Option<Outcome> {
        match self.known.get(id) {
            Some(Known::Applied(command)) => Some(command.outcome.clone()),
            Some(Known::Void) => None,
            None => {
                self.keep(id.clone(), at, Known::Void);
                None
            }
        }
    }

    fn keep(&mut self, id: CommandId, at: Timestamp, known: Known) {
        self.by_time.entry(at).or_default().push(id.clone());
        self.known.insert(id, known);
    }

    /// Forgets at most so many that were handled, or settled, before a moment.
    pub(super) fn purge(&mut self, before: Timestamp, most: usize) -> usize {
        let mut forgotten: usize = 0;
        while forgotten < most
            && let Some(mut oldest) = self.by_time.first_entry()
            && *oldest.key() < before
        {
            let Some(id) = oldest.get_mut().pop() else {
                oldest.remove();
                continue;
            };
            if self.known.remove(&id).is_some() {
                forgotten = forgotten.saturating_add(1);
            }
        }
        forgotten
    }
}
