//! The suite is worth what it catches: stores with one defect each, and the case that must tell.
//!
//! A broken store wraps the in-memory store and answers some methods wrongly. Each is caught by the case that is
//! named for it, every time, and each case catches at least one of them. What each case makes of each store is
//! written to `conformance-matrix.md` in the target directory.

mod beside;
mod broken;
mod commands;
mod commits;
mod draft;
mod durability;
mod ledger;
mod lists;
mod matrix;
mod meeting;
mod prelude;
mod queue;
mod since;
mod tenancy;
mod values;
mod versions;
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
    "M82" versions::RecycledVersion: "c04", "r03_lines", "r03_a_line";
    "M210" versions::OwnLastVersion: "r03_lines";
    "M211" versions::SameCommit: "r03_lines";
    "M212" versions::SameIsNothing: "r03_an_update";
    "M213" durability::NeverWrites: "c25";
    "M214" durability::WithoutLeases: "c25";
    "M215" durability::WithoutDeletions: "c25";
    "M216" durability::WithoutVoids: "c25";
    "M217" durability::WithoutJobs: "c25";
    "M83" visibility::FlipFlop: "c13";
    "M84" lists::NoLeastLimit: "c33";
    "M85" lists::OnePageMore: "c33";
    "M86" lists::TotalOfPage: "c33";
    "M87" lists::FirstBrand: "c35";
    "M88" lists::RemovedListed: "r09_documents";
    "M89" lists::KeptTies: "r09_sorted";
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
    "M204" values::ProductsFrom: "r09_product_ids";
    "M205" values::ProductsBackwards: "r09_product_ids";
    "M206" values::FirstCodes: "r21";
    "M203" queue::OnlyWaiting: "q11_open_jobs";
    "M207" queue::OnlyDone: "q11_jobs_that_are_over";
    "M220" beside::LevelsOfAllSites: "c35";
    "M221" beside::TakesOfAllSites: "c35";
    "M222" beside::CountsOfAllSites: "c35";
    "M223" beside::AdjustmentsOfAllSites: "c35";
    "M224" beside::OrdersOfAllSites: "c35";
    "M225" beside::LinesOfAllCounts: "c35";
    "M226" beside::LinesOfAllOrders: "c35";
    "M227" beside::LinesOfAllTakes: "c35";
    "M228" beside::ArticlesOfAllSites: "c35";
    "M229" beside::TotalsOfAllTakes: "c36";
    "M230" beside::TotalsOfAnyCount: "c36";
    "M231" beside::ViewTotalsOfAllTakes: "r19_a_view";
    "M232" beside::KeysOfAllSites: "r07";
    "M233" beside::LedgerOfAllSites: "c26";
    "M234" beside::EntriesOfAllTakes: "r16_outcomes";
    "M235" beside::EntriesOfAllCounts: "r16_outcomes";
    "M236" beside::UnfinishedOfAllKinds: "q11_only";
    "M240" beside::LeakySiteByName: "c37";
    "M241" beside::LeakyProducts: "c37";
    "M242" beside::LeakyArticleIds: "c37";
    "M243" beside::LeakyLikeness: "c37";
    "M244" beside::LeakyBarcodes: "c37";
    "M245" beside::LeakyCategories: "c37";
    "M246" beside::LeakySupplier: "c37";
    "M247" beside::LeakyLevels: "c37";
    "M248" beside::LeakyMarks: "c37";
    "M249" beside::LeakyMarksAfter: "r09_serial";
    "M250" beside::LeakyEventsAfter: "c37";
    "M251" beside::LeakyEvents: "c37";
    "M252" beside::LeakyLedger: "c37";
    "M253" beside::LeakyLedgerByKey: "r07";
    "M254" beside::LeakyLevelsPage: "c37";
    "M255" beside::LeakyArticles: "c37";
    "M256" beside::LeakyLines: "c37";
    "M257" beside::LeakyView: "c37";
    "M258" beside::LeakyLineIds: "c37";
    "M259" beside::LeakyCountingView: "c37";
    "M260" beside::LeakyEntries: "c37";
    "M261" beside::LeakyCount: "c37";
    "M262" beside::LeakyOpenCount: "c37";
    "M263" beside::LeakyCounts: "c37";
    "M264" beside::LeakyCountLine: "c37";
    "M265" beside::LeakyCountLines: "c37";
    "M266" beside::LeakyCountEntries: "c37";
    "M267" beside::LeakyAdjustment: "c37";
    "M268" beside::LeakyAdjustments: "c37";
    "M269" beside::LeakyOrder: "c37";
    "M270" beside::LeakyOrders: "c37";
    "M271" beside::LeakyOrderLine: "c37";
    "M272" beside::LeakyOrderLines: "c37";
    "M273" beside::LeakyImport: "c37";
    "M274" beside::LeakyImportChunk: "c37";
    "M275" beside::LeakyExport: "c37";
    "M276" beside::LeakyExportChunk: "c37";
    "M277" beside::LeakyCommand: "c47";
    "M278" beside::LeakyUnfinished: "q11_only";
    "M279" beside::LeakyOpenJobs: "q11_open";
    "M280" beside::LeakyDeadJobs: "c63";
    "M290" queue::DueByOrganisation: "c62";
    "M291" queue::EarlyRetry: "c57";
    "M292" queue::NoKindIsAny: "q11_only";
    "M293" queue::UnfinishedWaits: "q11_only";
    "M294" queue::ExpiresLate: "c51";
    "M295" queue::ReleaseAnyToken: "q06";
    "M296" queue::FailAnyToken: "c52";
    "M297" queue::ZeroTries: "c55";
    "M298" queue::LongErrors: "c64";
    "M299" queue::RequeueForgets: "c56";
    "M300" queue::SettlesRunning: "q09";
    "M301" queue::BornAfterAcks: "q09";
    "M302" queue::TotalStays: "c63";
    "M303" queue::PurgesAtMoment: "q12";
    "M304" queue::PurgesAllJobs: "q12";
    "M305" queue::PurgesNoJob: "q12";
    "M306" queue::GlobalJobIds: "c41";
    "M307" queue::ExpiredIsOldest: "c62";
    "M310" lists::TotalAfterCursor: "c32_page";
    "M311" lists::BeyondIsError: "c33";
    "M312" lists::AlwaysTotal: "c32_page";
    "M313" lists::OneRowMore: "c32_page";
    "M314" lists::TurnedBegins: "r09_every_list";
    "M315" lists::CaseMatters: "c35";
    "M316" lists::AnyCondition: "c35";
    "M317" lists::EndIsIn: "c35";
    "M318" lists::RemovedOrders: "c35";
    "M319" lists::CountTotalsMixed: "c36";
    "M320" lists::DeletedCounts: "c11";
    "M330" commits::TornProgress: "c07";
    "M331" commits::TornEntries: "c07";
    "M332" commits::TornAcks: "c07";
    "M333" commits::TornDeletions: "c07";
    "M334" commits::EntriesOfNothing: "c07";
    "M335" commits::FirstIsTaken: "r17";
    "M336" commits::NamesStay: "r17";
    "M337" commits::FoldedNames: "r17";
    "M338" commits::VoidIsReused: "c46";
    "M339" commits::NoLevelNoEvent: "c26";
    "M340" commits::InOrderOnly: "r07";
    "M341" commits::EntriesGo: "c30";
    "M342" commits::OneEntryOfAnId: "r16_outcomes";
    "M343" commits::RemembersDigests: "c47";
    "M344" commits::PurgesForeign: "r20_expired";
    "M345" commits::PartsStay: "r20_expired";
    "M346" commits::ExpiresAtMoment: "r20_expired";
    "M347" commits::EpochIsVersion: "c09";
    "M350" ledger::BackFromTheFront: "r10";
    "M351" ledger::BeforeIsIn: "r10";
    "M352" beside::LedgerBackOfAllSites: "r10";
    "M353" beside::LeakyLedgerBack: "r10";
    "M348" tenancy::WithoutSite: "r06_organisations";
    "M349" tenancy::OrganisationsFrom: "r06_organisations";
};
