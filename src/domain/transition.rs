//! State machines as tables.

use std::fmt::Debug;

/// One allowed step of a state machine. Whatever a machine's table does not list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<S, C> {
    /// In this state ...
    pub from: S,
    /// ... this command ...
    pub command: C,
    /// ... leads here.
    pub to: S,
}

/// Shorthand for a row of a table.
pub(super) const fn edge<S, C>(from: S, command: C, to: S) -> Edge<S, C> {
    Edge { from, command, to }
}

/// Looks a step up.
pub(super) fn step<S, C>(
    table: &[Edge<S, C>],
    machine: Machine,
    from: S,
    command: C,
) -> Result<S, TransitionError>
where
    S: Copy + PartialEq + Into<&'static str>,
    C: Copy + PartialEq + Into<&'static str>,
{
    table
        .iter()
        .find(|edge| edge.from == from && edge.command == command)
        .map(|edge| edge.to)
        .ok_or(TransitionError::State {
            machine,
            state: from.into(),
            command: command.into(),
        })
}

/// The things that have a life of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// A stock take.
    StockTake,
    /// An inventory count.
    InventoryCount,
    /// A stock adjustment.
    StockAdjustment,
    /// An inventory order.
    InventoryOrder,
    /// A stock import.
    StockImport,
}

impl Machine {
    /// Its name in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StockTake => "stock take",
            Self::InventoryCount => "inventory count",
            Self::StockAdjustment => "stock adjustment",
            Self::InventoryOrder => "inventory order",
            Self::StockImport => "stock import",
        }
    }
}

/// Why a transition was refused. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransitionError {
    /// The state does not allow the command: read the object again and do what its state allows.
    #[error("{} is {state}: {command} is not possible", machine.as_str())]
    State {
        /// Of which machine.
        machine: Machine,
        /// Its state.
        state: &'static str,
        /// What was asked.
        command: &'static str,
    },
    /// The items are still being added: wait for the job.
    #[error("items are still being added")]
    ItemsBeingAdded,
    /// There is no line yet: add one.
    #[error("{} has no lines", machine.as_str())]
    NoLines {
        /// Of which machine.
        machine: Machine,
    },
    /// A rule of the machine was broken; the code is stable.
    #[error("{message}")]
    Rule {
        /// The machine-readable code, `snake_case`.
        code: &'static str,
        /// The same in words.
        message: &'static str,
    },
}

/// Gives an enum of unit variants its names, once, and the list of all of them.
macro_rules! named_states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl From<$name> for &'static str {
            fn from(value: $name) -> Self {
                value.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use named_states;
