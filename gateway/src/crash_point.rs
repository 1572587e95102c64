//! The named steps at which a kill must lose nothing: where a change is on its way to the disk, or to who waits for it.
//!
//! In a build with debug assertions, as the one under test is, `TIDEGATE_CRASH_AT` = `STEP:N` lets the process kill
//! itself (SIGKILL) when it comes to that step for the N-th time, and `TIDEGATE_ANSWER_EARLY` makes the store lie, so
//! that what looks for losses can be shown one. A release build has nothing of it: a step there is an empty function.

#[cfg(debug_assertions)]
mod armed;

macro_rules! steps {
    ($($(#[$text:meta])* $step:ident = $name:literal,)*) => {
        /// A step of the store, of the components folder or of a replacement, in the order in which they come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CrashPoint {
            $($(#[$text])* $step,)*
        }

        impl CrashPoint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$step,)*];

            /// How it is called from outside.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)*
                }
            }
        }
    };
}

steps! {
    /// A start has opened the store and removed components that no version refers to.
    StartCollected = "start-collected",
    /// A start has recorded a Thing's declaration and reserved its clock; its handler is not chosen yet.
    StartImported = "start-imported",
    /// All changes of a group are in their transaction, which is not committed.
    StoreBeforeCommit = "store-before-commit",
    /// The transaction is on disk; memory does not show it yet, nobody was answered.
    StoreAfterCommit = "store-after-commit",
    /// Memory shows it; nobody was answered.
    StoreBeforeAnswer = "store-before-answer",
    /// Everybody in the group was answered.
    StoreAfterAnswer = "store-after-answer",
    /// A component's temporary file is written, without fsync.
    ComponentWritten = "component-written",
    /// The temporary file is on disk under its temporary name.
    ComponentSynced = "component-synced",
    /// It has its own name; the folder is not synced.
    ComponentRenamed = "component-renamed",
    /// The folder is synced: the component is kept.
    ComponentKept = "component-kept",
    /// A new version is admitted and compiled and its bytes are kept; nothing refers to them.
    ReplacementLoaded = "replacement-loaded",
    /// It has passed its rehearsal.
    ReplacementRehearsed = "replacement-rehearsed",
    /// The Thing's task keeps the state from before the switch; the switch is not committed.
    ReplacementBegun = "replacement-begun",
    /// The switch is on disk; the version before still serves.
    ReplacementCommitted = "replacement-committed",
    /// The version before is suspended, the new one has not started.
    CutOverBegun = "cut-over-begun",
    /// The new version serves; its pusher was not answered.
    ReplacementServing = "replacement-serving",
    /// The end of a canary is on disk; the task still watches it.
    CanaryProved = "canary-proved",
    /// An automatic rollback is on disk; the version before does not serve yet.
    CanaryRolledBack = "canary-rolled-back",
}

impl CrashPoint {
    /// The process has come to this step.
    #[inline]
    pub(crate) fn pass(self) {
        #[cfg(debug_assertions)]
        armed::pass(self);
    }
}

/// Whether the store is to answer before a commit is on disk: the lie that a search for losses must find.
#[inline]
pub(crate) fn answers_early() -> bool {
    #[cfg(debug_assertions)]
    return armed::answers_early();
    #[cfg(not(debug_assertions))]
    false
}
