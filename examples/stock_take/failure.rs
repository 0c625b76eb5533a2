//! Why the example ends early, and with which exit code.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::process::ExitCode;

use stocktake::domain::DecimalError;
use stocktake::service::Error;
use stocktake::store::StoreError;
use tokio::task::JoinError;

use crate::retail::RetailError;

/// How many differences are told one by one.
const DIFFERENCES_TOLD: usize = 20;

/// Why it ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is not understood.
    Arguments(String),
    /// The files can't be read.
    Files(RetailError),
    /// The files hold something that no shop can have.
    Unfit(String),
    /// The library refused something that it should do.
    Library(Error),
    /// A check does not hold: what differs.
    Differences(Vec<String>),
    /// The terminal or the runtime failed.
    System(io::Error),
    /// A task panicked.
    Task(JoinError),
}

impl Failure {
    /// Whether nobody listens any more: whoever closed the pipe needs no message.
    pub(crate) fn is_unheard(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// 2 for the command line, 1 for the rest.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Arguments(_) => ExitCode::from(2),
            Self::Files(_)
            | Self::Unfit(_)
            | Self::Library(_)
            | Self::Differences(_)
            | Self::System(_)
            | Self::Task(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(problem) | Self::Unfit(problem) => f.write_str(problem),
            Self::Files(error) => error.fmt(f),
            Self::Library(error) => {
                write!(f, "{error} [{}]", error.code())?;
                let mut source = error.source();
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            Self::Differences(found) => {
                write!(f, "{} checks failed:", found.len())?;
                for difference in found.iter().take(DIFFERENCES_TOLD) {
                    write!(f, "\n  {difference}")?;
                }
                match found.len().checked_sub(DIFFERENCES_TOLD) {
                    Some(more) if more > 0 => write!(f, "\n  and {more} more"),
                    Some(_) | None => Ok(()),
                }
            }
            Self::System(error) => error.fmt(f),
            Self::Task(error) => error.fmt(f),
        }
    }
}

macro_rules! failures {
    ($($cause:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$cause> for Failure {
            fn from(cause: $cause) -> Self {
                Self::$variant(cause.into())
            }
        }
    )+};
}

failures! {
    RetailError => Files,
    Error => Library,
    StoreError => Library,
    DecimalError => Library,
    io::Error => System,
    JoinError => Task,
}

/// Collects what does not hold.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    made: usize,
    differences: Vec<String>,
}

impl Checks {
    /// Notes what differs, unless it holds.
    pub(crate) fn hold(&mut self, holds: bool, difference: impl FnOnce() -> String) {
        self.made += 1;
        if !holds {
            self.differences.push(difference());
        }
    }

    /// Takes over what another task has checked.
    pub(crate) fn add(&mut self, other: Self) {
        self.made += other.made;
        self.differences.extend(other.differences);
    }

    /// How many were made, if all of them hold.
    pub(crate) fn all_hold(self) -> Result<usize, Failure> {
        if self.differences.is_empty() {
            Ok(self.made)
        } else {
            Err(Failure::Differences(self.differences))
        }
    }
}
