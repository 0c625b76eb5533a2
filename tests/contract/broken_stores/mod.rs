//! The suite is worth what it catches: stores with one defect each, and the case that must tell.
//!
//! A broken store wraps the in-memory store and answers some methods wrongly. Each is caught by the case that is
//! named for it, every time, and each case catches at least one of them. What each case makes of each store is
//! written to `conformance-matrix.md` in the target directory.

mod broken;
mod commands;
mod commits;
mod draft;
mod ledger;
mod lists;
mod matrix;
mod meeting;
mod prelude;
mod queue;
mod since;
mod tenancy;
mod values;
mod visibility;

use broken::Broken;

/// A store with a defect.
struct Mutant {
    /// What it is told by.
    id: &'static str,
    /// Its name.
    name: &'static str,
    /// The store.
    store: Broken,
    /// How the cases that must catch it begin.
    caught_by: &'static [&'static str],
}

macro_rules! mutants {
    ($($id:literal $file:ident::$name:ident: $($case:literal),+;)+) => {
        &[$(
            Mutant {
                id: $id,
                name: stringify!($name),
                store: Broken(|| std::sync::Arc::new($file::$name::default())),
                caught_by: &[$($case),+],
            },
        )+]
    };
}

/// Every one of them.
static MUTANTS: &[Mutant] = mutants! {
    "M01" commits::LostUpdate: "c13", "c14";
    "M02" commits::CheckThenAct: "c14", "c15";
    "M03" commits::TornCommit: "c07";
    "M04" commits::TornEvents: "c08";
    "M05" commits::RowByRow: "c21";
    "M06" visibility::StaleRead: "c23";
    "M07" visibility::DirtyRead: "c24";
    "M08" visibility::SplitSnapshot: "c21";
    "M09" ledger::AbsoluteSet: "c07";
    "M10" ledger::NoGuard: "c19";
    "M11" ledger::SerialSeq: "c27";
    "M12" ledger::SeqByOccurredAt: "c26";
    "M13" ledger::DriftingLevel: "c28";
    "M14" ledger::ZeroIsRemoved: "c31";
    "M15" lists::UnstableSort: "c32_page";
    "M16" lists::OffsetCursor: "c34";
    "M17" lists::InclusiveCursor: "c32_page";
    "M18" lists::LikeWildcard: "c35";
    "M19" lists::LeakyTotals: "c36";
    "M20" tenancy::LeakyGet: "c37";
    "M21" tenancy::LeakyWrite: "c39";
    "M22" tenancy::OrphanItem: "c40";
    "M23" tenancy::GlobalIdemKey: "c41";
    "M24" commands::IdemSeparate: "c45";
    "M25" commands::IdemNoHash: "c44";
    "M26" commands::IdemOnFailure: "c12";
    "M27" commits::DroppedOutbox: "c22";
    "M28" commits::EagerOutbox: "c12", "c49";
    "M29" queue::DoubleLease: "c50";
    "M30" queue::NeverReclaim: "c51";
    "M31" queue::NoFence: "c52";
    "M32" queue::StaleReaper: "c53";
    "M33" queue::AttemptOnFail: "c55";
    "M34" queue::EndlessRetry: "c56";
    "M35" queue::EarlyRun: "c57", "c59";
    "M36" queue::WallClockLease: "c60";
    "M37" commits::LockedUnique: "c61";
    "M38" values::FloatQuantity: "c05";
    "M39" values::MillisClock: "c06";
    "M40" commits::WrongKind: "c13";
    "M41" commands::UnknownAsFailed: "c13";
    "M42" commits::CancelLeak: "c22";
    "M43" visibility::Amnesia: "c25";
    "M44" commands::EagerPurge: "c47";
    "M45" values::DropField: "c01";
    "M46" values::ErrOnMissing: "c02";
    "M47" commits::UpsertOnInsert: "c03";
    "M48" commits::UnversionedDelete: "c04";
    "M49" commits::GuardAfterWrite: "c09";
    "M50" commits::EditAfterLock: "r08_no_guarded";
    "M51" ledger::PostOverwritesSale: "c17";
    "M52" commits::TwoOpenCounts: "c20";
    "M53" ledger::AsOfOffByOne: "r07";
    "M54" ledger::MutableEvent: "c30";
    "M55" lists::PageOverflow: "c33";
    "M56" lists::UnboundCursor: "c42";
    "M57" commands::ReplayReapplies: "c43";
    "M58" queue::ExtendOthers: "c54";
    "M59" queue::CompleteSeparately: "c58";
    "M60" queue::HeadOfLine: "c62";
    "M61" tenancy::LeakyJob: "c63";
    "M62" values::TruncatedPayload: "c64";
    "M63" commands::OptimisticResolve: "c46";
    "M64" commits::GuardThenAct: "r08_no_guarded";
    "M65" commits::NoSiteGuard: "r08_no_commit_guarded_on_a_site";
    "M66" commits::NoCountGuard: "r08_no_commit_guarded_on_a_count";
    "M67" commits::ExclusiveEpoch: "r08_no_guarded";
    "M68" commits::TooSmall: "r15";
    "M69" commits::FirstConflict: "c03";
    "M70" commits::TakenNames: "r17";
    "M71" commits::Orphans: "c39";
    "M72" commits::LastEntry: "r16_outcomes";
    "M73" ledger::GapOnFailure: "r10";
    "M74" ledger::SharedPositions: "r10";
    "M75" ledger::DelistedListed: "c31";
    "M76" ledger::LedgerFrom: "c27";
    "M77" ledger::SamePlace: "c30";
    "M78" ledger::EventsByTime: "r07";
    "M79" values::DropEventField: "r16_outcomes";
    "M80" values::CompactAnswers: "c02";
    "M81" values::NewestEntriesFirst: "r16_outcomes";
    "M82" values::RecycledVersion: "c04";
    "M83" visibility::FlipFlop: "c13";
    "M84" lists::NoLeastLimit: "c33";
    "M85" lists::OnePageMore: "c33";
    "M86" lists::TotalOfPage: "c33";
    "M87" lists::FirstBrand: "c35";
    "M88" lists::RemovedListed: "r09_documents";
    "M89" lists::TurnedTies: "r09_sorted";
    "M90" lists::OldOnHand: "c31";
    "M91" tenancy::LeakyList: "c37";
    "M92" tenancy::ForeignTotals: "c38";
    "M93" tenancy::GlobalNames: "c41";
    "M94" commands::ConflictFirst: "r12";
    "M95" commands::LastOutcome: "c43";
    "M96" commands::PurgeOffByOne: "c47";
    "M97" commands::NoPurge: "c47";
    "M98" commands::LateBoat: "c46";
    "M99" commands::NeverSettled: "c46";
    "M100" queue::NoFenceInCommit: "c58";
    "M101" queue::NoBackoff: "c57";
    "M102" queue::ExtendShortens: "c54";
    "M103" queue::OneAtATime: "c62";
    "M104" queue::DueById: "c62";
    "M105" queue::ProgressBack: "c63";
    "M106" queue::NoProgress: "c11";
    "M107" queue::RequeueKeepsTokens: "c52";
    "M108" queue::RequeueAnything: "c56";
    "M109" queue::EnqueueAgain: "q02";
    "M110" queue::DeadHidden: "c56";
    "M111" queue::LostError: "c56";
    "M112" queue::RefusedSucceeds: "q09";
    "M113" commits::Deadlock: "r04_opposite";
    "M114" values::BackwardMarks: "r09_serial";
    "M115" lists::NarrowTotals: "c36";
    "M116" ledger::NextKey: "r07";
    "M117" values::AllUnlike: "c36", "r21";
    "M118" values::AllEventsUnlike: "r21";
    "M119" values::AllMended: "r22";
    "M120" values::MendsByWriting: "r22_mending_what";
    "M121" values::MendsInParts: "r22_mending_among";
    "M122" values::MarksFrom: "r09_serial";
    "M180" commands::PurgeUnbounded: "r20_expired", "c47";
    "M181" commands::ExportsStay: "r20_expired";
    "M182" commands::VersionsForgotten: "r20_last_versions";
    "M183" queue::AnyKind: "q11_only_the_kinds";
    "M184" queue::HandBackCosts: "q06";
    "M185" queue::DeadPurged: "q12";
    "M190" since::TokenAtStart: "r19_who_asks_again";
    "M191" since::TokenOffByOne: "r19_every_change";
    "M192" since::TokenOfHandle: "r19_every_change";
    "M193" since::TokenOfClock: "r19_every_change";
    "M194" since::OnlyCounts: "r19_every_change";
    "M195" since::AheadIsNothing: "r19_every_change";
    "M196" since::CursorOfAnyToken: "r19_what_changed";
    "M197" since::ViewTotalsOfAll: "r19_a_view", "r19_what_changed";
    "M198" since::ViewInParts: "r19_who_asks_again";
    "M199" since::OnlyLevels: "r19_an_article";
    "M200" lists::OneWay: "r09_every_list";
    "M201" values::FirstBarcode: "r04_products";
    "M202" values::GrowingCategory: "r04_products";
    "M203" queue::OnlyWaiting: "q11_open_jobs";
};
