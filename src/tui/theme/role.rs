//! What a thing on screen is, as far as its colour goes.

use crate::console::state::JobState;

macro_rules! roles {
    ($( $role:ident = $name:literal ),* $(,)?) => {
        /// The part that something plays on screen. Themes map roles to styles; widgets never name a colour.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $($role),* }

        impl Role {
            pub const ALL: [Self; Self::COUNT] = [$(Self::$role),*];
            pub const COUNT: usize = [$($name),*].len();

            /// The name in theme files.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$role => $name),* }
            }
        }
    };
}

roles! {
    Text = "text",
    TextDim = "text.dim",
    TextStrong = "text.strong",
    Border = "border",
    BorderFocus = "border.focus",
    Title = "title",
    Cursor = "cursor",
    Mark = "mark",
    Match = "match",
    Link = "link",
    StateOk = "state.ok",
    StateFail = "state.fail",
    StateWarn = "state.warn",
    StateRun = "state.run",
    StateWait = "state.wait",
    StateBlocked = "state.blocked",
    StateSkip = "state.skip",
    StateCancel = "state.cancel",
    StateManual = "state.manual",
    StateUnknown = "state.unknown",
    FreshLive = "fresh.live",
    FreshStale = "fresh.stale",
    FreshError = "fresh.error",
    FreshPartial = "fresh.partial",
    SevPage = "sev.page",
    SevWarn = "sev.warn",
    SevInfo = "sev.info",
    DiffAdd = "diff.add",
    DiffDel = "diff.del",
    GraphEdge = "graph.edge",
    GraphCritical = "graph.critical",
    GraphGhost = "graph.ghost",
    GraphGroup = "graph.group",
    LogLandmark = "log.landmark",
    LogSection = "log.section",
    LogNumber = "log.number",
    ActionHold = "action.hold",
    ActionDanger = "action.danger",
    ActionSafe = "action.safe",
    Plot1 = "plot.1",
    Plot2 = "plot.2",
    Plot3 = "plot.3",
    Plot4 = "plot.4",
}

impl Role {
    /// The role that colours a state.
    pub const fn of(state: JobState) -> Self {
        match state {
            JobState::Ok => Self::StateOk,
            JobState::Fail => Self::StateFail,
            JobState::Warn => Self::StateWarn,
            JobState::Run => Self::StateRun,
            JobState::Wait => Self::StateWait,
            JobState::Blocked => Self::StateBlocked,
            JobState::Cancel => Self::StateCancel,
            JobState::Skip => Self::StateSkip,
            JobState::Manual => Self::StateManual,
            JobState::Unknown => Self::StateUnknown,
        }
    }

    /// The role with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}
