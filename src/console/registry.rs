//! The one list of everything a person can ask the console to do. Keymaps bind these actions, the palette and the help overlay list them, the
//! command line takes its descriptions from them, and the man page is printed from them; a description is written once, here.
//!
//! Pure data. What an action does is decided where it is handled; a keymap or a screen that wants an action takes its [`ActionId`], never its
//! name as a string.

use std::fmt;

/// Where an action makes sense. A keymap may bind it there or in a scope inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everywhere, even over a preview or a prompt.
    Always,
    /// Every screen.
    Global,
    /// Every screen with a cursor.
    List,
    /// The log of a job.
    Log,
    /// The needs graph.
    Dag,
    /// The binary caches.
    Caches,
    /// The fleet and its alerts.
    Fleet,
    /// What the controller does: its loops, and pull requests on their way.
    Controller,
    /// The preview of a plan. Modal: keys of the screen below do not reach it.
    Preview,
    /// A line of text being typed: filter, palette, search in the help.
    Prompt,
}

impl Scope {
    pub const ALL: [Self; 10] = [
        Self::Always,
        Self::Global,
        Self::List,
        Self::Log,
        Self::Dag,
        Self::Caches,
        Self::Fleet,
        Self::Controller,
        Self::Preview,
        Self::Prompt,
    ];

    /// The word in keymap files and in the help.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Global => "global",
            Self::List => "list",
            Self::Log => "log",
            Self::Dag => "dag",
            Self::Caches => "caches",
            Self::Fleet => "fleet",
            Self::Controller => "controller",
            Self::Preview => "preview",
            Self::Prompt => "prompt",
        }
    }

    /// The scope with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// The scope that is asked next when this one has no answer.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::Always => None,
            Self::Global | Self::Preview | Self::Prompt => Some(Self::Always),
            Self::List => Some(Self::Global),
            Self::Log | Self::Dag | Self::Caches | Self::Fleet | Self::Controller => Some(Self::List),
        }
    }

    /// This scope, then its parents, innermost first.
    pub fn chain(self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |scope| scope.parent())
    }
}

/// What an action may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The cursor or the screen shown.
    Move,
    /// How things are shown, and copies of what is shown.
    View,
    /// Something outside this console. Always through a preview.
    Mutate,
    /// The console itself.
    App,
}

/// What may follow a palette command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Argument {
    None,
    Theme,
    Keymap,
    /// The filter grammar.
    Filter,
    Pipeline,
    /// `on`, `off`, or nothing to toggle.
    Switch,
    /// `start NAME [--dry-run]`, `stop NAME`, `run NAME`, or nothing to look.
    Loop,
}

/// A word that the palette understands, with its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Command {
    pub word: &'static str,
    pub argument: Argument,
}

/// One thing that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    pub id: ActionId,
    /// `jobs.retry`: the name in keymaps and in the audit.
    pub name: &'static str,
    pub title: &'static str,
    /// One sentence.
    pub help: &'static str,
    pub scope: Scope,
    pub kind: Kind,
    /// The word that runs it from the palette.
    pub command: Option<Command>,
    /// The verb of the command line that does the same without a screen.
    pub cli: Option<&'static str>,
}

macro_rules! actions {
    (@command) => { None };
    (@command $word:literal) => { Some(Command { word: $word, argument: Argument::None }) };
    (@command $word:literal $argument:ident) => { Some(Command { word: $word, argument: Argument::$argument }) };
    (@cli) => { None };
    (@cli $verb:literal) => { Some($verb) };
    ($( $id:ident = $name:literal, $scope:ident, $kind:ident, $title:literal, $help:literal
        $(, command $word:literal $(($argument:ident))? )? $(, cli $verb:literal)? ;)*) => {
        /// The identity of an action.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ActionId { $($id),* }

        /// Every action, in the order in which help and palette show them.
        pub const ACTIONS: &[Action] = &[$(ActionId::$id.action()),*];

        impl ActionId {
            /// The registry's row for this action.
            pub const fn action(self) -> Action {
                match self {
                    $(Self::$id => Action {
                        id: self,
                        name: $name,
                        title: $title,
                        help: $help,
                        scope: Scope::$scope,
                        kind: Kind::$kind,
                        command: actions!(@command $($word $($argument)?)?),
                        cli: actions!(@cli $($verb)?),
                    }),*
                }
            }
        }
    };
}

actions! {
    // Moving.
    ListDown = "list.down", List, Move, "Down", "Moves the cursor one row down.";
    ListUp = "list.up", List, Move, "Up", "Moves the cursor one row up.";
    ListHalfDown = "list.half_page_down", List, Move, "Half page down", "Moves the cursor half a page down.";
    ListHalfUp = "list.half_page_up", List, Move, "Half page up", "Moves the cursor half a page up.";
    ListPageDown = "list.page_down", List, Move, "Page down", "Moves the cursor a page down.";
    ListPageUp = "list.page_up", List, Move, "Page up", "Moves the cursor a page up.";
    ListTop = "list.top", List, Move, "Top", "Goes to the first row.";
    ListBottom = "list.bottom", List, Move, "Bottom", "Goes to the last row; in a running log it follows the end again.";
    ListLeft = "list.left", List, Move, "Left", "Goes left: to what this needs in the graph, up a level in a list.";
    ListRight = "list.right", List, Move, "Right", "Goes right: to what needs this in the graph, into the row in a list.";
    ListOpen = "list.open", List, Move, "Open", "Opens what the cursor is on.";
    ViewBack = "view.back", Global, Move, "Back", "Closes the popup, clears the filter, or goes up one level.";
    TroubleNext = "trouble.next", List, Move, "Next trouble", "Jumps to the next failed or blocked thing.";
    TroublePrev = "trouble.prev", List, Move, "Previous trouble", "Jumps to the previous failed or blocked thing.";
    HistoryBack = "history.back", Global, Move, "History back", "Returns to the place before this one.";
    HistoryForward = "history.forward", Global, Move, "History forward", "Undoes a step back in the history.";
    ScreenLast = "screen.last", Global, Move, "Last screen", "Switches to the screen shown before this one.";

    // Screens.
    ScreenOverview = "screen.overview", Global, Move, "Overview", "Shows what is wrong now.", command "overview", cli "status";
    ScreenPipelines = "screen.pipelines", Global, Move, "Pipelines", "Lists pipelines and their trouble.", command "pipelines" (Filter), cli "pipelines";
    ScreenDag = "screen.dag", Global, Move, "DAG", "Draws the needs graph of the current pipeline.", command "dag", cli "dag";
    ScreenJobs = "screen.jobs", Global, Move, "Jobs", "Lists jobs, narrowed by a filter.", command "jobs" (Filter), cli "jobs";
    ScreenFleet = "screen.fleet", Global, Move, "Fleet", "Shows capacity and sick machines.", command "fleet";
    ScreenErrors = "screen.errors", Global, Move, "Errors", "Groups failures by cause.", command "errors", cli "errors";
    ScreenCaches = "screen.caches", Global, Move, "Caches", "Shows size, growth and index health of the binary caches.", command "caches", cli "cache";
    ScreenBridge = "screen.bridge", Global, Move, "PRs / bridge", "Shows what goes from GitHub to GitLab and back.", command "bridge";
    ScreenBot = "screen.bot", Global, Move, "Bot", "Shows the comments that the bot answered.", command "bot";
    ScreenLoops = "screen.loops", Global, Move, "Loops", "Shows whether the controller's loops live, starts and stops them.", command "loops" (Loop);
    ScreenAlerts = "screen.alerts", Global, Move, "Alerts", "Lists alerts that fire.", command "alerts";
    ScreenAudit = "screen.audit", Global, Move, "Audit", "Shows who did what.", command "audit";
    GoPipeline = "go.pipeline", Global, Move, "Go to pipeline", "Opens a pipeline by its id.", command "pipeline" (Pipeline);
    FindAnywhere = "find.anywhere", Global, Move, "Find anywhere", "Searches jobs, pipelines and screens by name.", command "find";
    BookmarkSet = "bookmark.set", Global, View, "Set bookmark", "Remembers this place under the next letter.";
    BookmarkGo = "bookmark.go", Global, Move, "Go to bookmark", "Returns to the place kept under the next letter.";

    // Narrowing and marking.
    ListFilter = "list.filter", List, View, "Filter", "Narrows the rows while you type.", command "filter" (Filter);
    ListFilterClear = "list.filter_clear", List, View, "Clear filter", "Shows all rows again; marks stay.", command "nofilter";
    ListMark = "list.mark", List, View, "Mark", "Marks the row, or takes its mark away.";
    ListMarkRange = "list.mark_range", List, View, "Mark range", "Marks every row from here to where the key is pressed again.";
    ListMarkVisible = "list.mark_visible", List, View, "Mark visible", "Marks every row that the filter lets through.";
    ListMarkNone = "list.mark_none", List, View, "Unmark all", "Takes all marks away, hidden ones too.";
    ListSort = "list.sort", List, View, "Sort", "Sorts by the next column.";
    ListReverse = "list.reverse", List, View, "Reverse", "Turns the order around.";
    ListPreviewPane = "list.preview_pane", List, View, "Preview pane", "Opens or closes the pane that explains the row.";
    ListWide = "list.wide", List, View, "Wide", "Shows the columns that this width hides.";

    // Looking closer.
    JobsLog = "jobs.log", List, Move, "Log", "Opens the job's log at its most likely cause.", cli "log";
    JobsDag = "jobs.dag", List, Move, "Show in DAG", "Shows the job among what it needs and what it blocks.";
    JobsPod = "jobs.pod", List, Move, "Show pod", "Goes to the job's pod among its node and its runner.", command "pod";
    JobsExplain = "jobs.explain", List, View, "Explain", "Says why this is in the state it is in.";
    ErrorsWindow = "errors.window", List, View, "Window", "Looks further back, then at the last hour again.";
    ErrorsTeach = "errors.teach", List, View, "Teach…", "Makes a rule of the line and saves it in your rules.", command "teach";
    JobsWatch = "jobs.watch", List, View, "Watch", "Tells you when this ends.";
    CopyId = "copy.id", List, View, "Copy id", "Copies the id.";
    CopyLink = "copy.link", List, View, "Copy link", "Copies the address of the page in GitLab.";
    CopySpec = "copy.spec", List, View, "Copy spec", "Copies the spec with its hash.";
    CopyCurl = "copy.curl", List, View, "Copy curl", "Copies a curl command that reads it, without the token.";
    LinkOpen = "link.open", List, View, "Open link", "Opens the page in the browser.";

    // Acting. Each opens a preview; only `preview.confirm` goes on from there.
    JobsRetry = "jobs.retry", List, Mutate, "Retry…", "Plans a retry of the marked jobs, the row, or a pipeline's failures.", command "retry" (Filter), cli "retry";
    JobsCancel = "jobs.cancel", List, Mutate, "Cancel…", "Plans to cancel the marked jobs, the row, or a pipeline's running jobs.", command "cancel" (Filter), cli "cancel";
    JobsPlay = "jobs.play", List, Mutate, "Play manual…", "Plans to start the marked manual jobs.", command "play" (Filter), cli "play";
    HoldUndo = "hold.undo", Global, App, "Undo held", "Takes back the newest held plan; nothing was sent.", command "undo";
    AuditCompensate = "audit.compensate", Global, Mutate, "Compensate…", "Plans to cancel the jobs that a retry created.", command "compensate";
    AlertsAck = "alerts.ack", List, Mutate, "Acknowledge…", "Takes failures or an alert, with a note and an expiry.";
    RunnersPause = "runners.pause", Fleet, Mutate, "Pause / resume…", "Plans to keep jobs away from the runner, or to let it take them again.", command "pause";
    NodesCordon = "nodes.cordon", Fleet, Mutate, "Cordon / uncordon…", "Plans to close the node for new pods, or to open it again.", command "cordon";
    PodsDelete = "pods.delete", Fleet, Mutate, "Delete pod…", "Plans to delete the pod of a job that is over.", command "delete-pod";
    AlertsSilence = "alerts.silence", Fleet, Mutate, "Silence…", "Plans to silence the alert at Alertmanager, with a note and an end.", command "silence";
    BridgeResync = "bridge.resync", Controller, Mutate, "Resync…", "Plans to have the pull request pushed again, whatever held it up.", command "resync";
    LoopsRun = "loops.run", Controller, Mutate, "Run now…", "Writes the command that begins the loop's next round now.";
    LoopsAll = "loops.all", Global, Mutate, "Controller…", "Writes the command that starts all loops in this console, or stops them.";
    LoopsSwitch = "loops.switch", Controller, Mutate, "Start / stop…", "Writes the command that starts the loop here, or stops it.";
    PreviewConfirm = "preview.confirm", Preview, Mutate, "Confirm", "Holds the plan as shown, then sends it.";
    PreviewCancel = "preview.cancel", Preview, View, "Dismiss", "Closes the preview; nothing is sent.";
    PreviewRows = "preview.rows", Preview, View, "Choose rows", "Lists every target so that some can be left out.";
    PreviewOnly = "preview.only", Preview, View, "Only one cause", "Keeps the targets of the next cause only.";
    PreviewToggle = "preview.toggle", Preview, View, "Leave out", "Leaves the target out, or takes it in again.";
    PreviewDown = "preview.down", Preview, Move, "Down", "Moves one target down.";
    PreviewUp = "preview.up", Preview, Move, "Up", "Moves one target up.";

    // The log.
    LogFollow = "log.follow", Log, View, "Follow", "Follows the end of a running log, or holds it.";
    LogWrap = "log.wrap", Log, View, "Wrap", "Wraps long lines, or cuts them.";
    LogTimes = "log.times", Log, View, "Times", "Shows or hides the time of each line.";
    LogFold = "log.fold", Log, View, "Fold", "Folds or unfolds the section.";
    LogFoldAll = "log.fold_all", Log, View, "Fold all", "Folds every section.";
    LogUnfoldAll = "log.unfold_all", Log, View, "Unfold all", "Unfolds every section.";
    LogSearch = "log.search", Log, View, "Search", "Searches in the log.";
    LogSearchNext = "log.search_next", Log, Move, "Next match", "Goes to the next match.";
    LogSearchPrev = "log.search_prev", Log, Move, "Previous match", "Goes to the previous match.";
    LogOnly = "log.only", Log, View, "Only lines", "Shows only matching lines with some context.";
    LogWithout = "log.without", Log, View, "Without lines", "Hides matching lines.";
    LogSectionNext = "log.section_next", Log, Move, "Next section", "Goes to the header of the next section.";
    LogSectionPrev = "log.section_prev", Log, Move, "Previous section", "Goes to the header of the previous section.";
    LogCopy = "log.copy", Log, View, "Copy lines", "Copies the line, or the marked range, without its numbers.";
    LogOlderTry = "log.older_try", Log, Move, "Older try", "Opens the log of the try before this one.";
    LogNewerTry = "log.newer_try", Log, Move, "Newer try", "Opens the log of the try after this one.";
    LogPlain = "log.plain", Log, View, "Plain stream", "Streams the log without the console until a key is pressed.";
    LogPager = "log.pager", Log, View, "Pager", "Opens the log in your pager.";

    // The graph.
    DagFailing = "dag.lens_failing", Dag, View, "Lens: failing", "Shows failures, what they need and what they block.";
    DagCritical = "dag.lens_critical", Dag, View, "Lens: critical path", "Shows the chain that decides when the pipeline ends.";
    DagNeighbours = "dag.lens_neighbours", Dag, View, "Lens: neighbourhood", "Shows what is a few needs away from the selection.";
    DagHits = "dag.lens_search", Dag, View, "Lens: search hits", "Shows search hits and the paths between them.";
    DagRunning = "dag.lens_running", Dag, View, "Lens: running", "Shows what runs now and what it opens up.";
    DagAll = "dag.lens_all", Dag, View, "Lens: all", "Shows everything, folded to counts where it is too much.";
    DagFewerHops = "dag.fewer_hops", Dag, View, "Fewer hops", "Makes the neighbourhood smaller.";
    DagMoreHops = "dag.more_hops", Dag, View, "More hops", "Makes the neighbourhood larger.";
    DagSource = "dag.source", Dag, Move, "Source", "Goes to the first thing that this rests on.";
    DagSink = "dag.sink", Dag, Move, "Sink", "Goes to the last thing that rests on this.";
    DagZoomIn = "dag.zoom_in", Dag, View, "Zoom in", "Draws wider nodes.";
    DagZoomOut = "dag.zoom_out", Dag, View, "Zoom out", "Draws narrower nodes, down to one glyph.";
    DagMinimap = "dag.minimap", Dag, Move, "Minimap", "Moves the window on the minimap.";

    // The binary caches.
    CachesList = "caches.list", Caches, View, "List now", "Lists the mirrors of binary caches now, and looks into the root again.", command "list-caches";
    CachesView = "caches.view", Caches, View, "Other view", "Shows the specs of a root, or what is wrong with it.";

    // A line being typed.
    PromptAccept = "prompt.accept", Prompt, View, "Accept", "Takes the line or the chosen entry.";
    PromptCancel = "prompt.cancel", Prompt, View, "Cancel", "Closes the prompt and changes nothing.";
    PromptComplete = "prompt.complete", Prompt, View, "Complete", "Completes the word before the cursor.";
    PromptUp = "prompt.up", Prompt, Move, "Up", "Goes to the entry above, or to the line before in the history.";
    PromptDown = "prompt.down", Prompt, Move, "Down", "Goes to the entry below, or to the line after in the history.";
    PromptLeft = "prompt.left", Prompt, Move, "Left", "Moves one character left.";
    PromptRight = "prompt.right", Prompt, Move, "Right", "Moves one character right.";
    PromptHome = "prompt.home", Prompt, Move, "Start of line", "Moves to the start of the line.";
    PromptEnd = "prompt.end", Prompt, Move, "End of line", "Moves to the end of the line.";
    PromptBackspace = "prompt.backspace", Prompt, View, "Delete back", "Deletes the character before the cursor.";
    PromptDelete = "prompt.delete", Prompt, View, "Delete", "Deletes the character under the cursor.";
    PromptDeleteWord = "prompt.delete_word", Prompt, View, "Delete word", "Deletes the word before the cursor.";
    PromptDeleteToStart = "prompt.delete_to_start", Prompt, View, "Delete to start", "Deletes everything before the cursor.";
    PromptDeleteToEnd = "prompt.delete_to_end", Prompt, View, "Delete to end", "Deletes everything after the cursor.";

    // The console itself.
    AppHelp = "app.help", Global, App, "Help", "Lists the keys of this screen.", command "help";
    AppCommand = "app.command", Global, App, "Command", "Opens the palette of everything.";
    AppMessages = "app.messages", Global, App, "Messages", "Lists holds, errors and notes of this session.", command "messages";
    AppTheme = "app.theme", Global, App, "Theme", "Changes the colours.", command "theme" (Theme);
    AppKeymap = "app.keymap", Global, App, "Keymap", "Changes the keys.", command "keymap" (Keymap);
    AppReadonly = "app.readonly", Global, App, "Read-only", "Forbids or allows to send anything.", command "readonly" (Switch);
    AppDryRun = "app.dry_run", Global, App, "Dry run", "Lets plans run to their end without sending anything.", command "dry-run" (Switch);
    AppPerf = "app.perf", Global, App, "Performance", "Shows bytes, frame times, queues and the API budget.", command "perf";
    AppRedraw = "app.redraw", Always, App, "Redraw", "Paints the whole screen again.", command "redraw";
    AppSuspend = "app.suspend", Always, App, "Suspend", "Stops the console until the shell brings it back.", command "suspend";
    AppInterrupt = "app.interrupt", Global, App, "Interrupt", "Pressed twice within a second, offers to quit.";
    AppQuit = "app.quit", Global, App, "Quit", "Leaves; asks only while plans are held.", command "quit";
}

impl ActionId {
    /// The action with this name.
    pub fn named(name: &str) -> Option<Self> {
        ACTIONS.iter().find(|action| action.name == name).map(|action| action.id)
    }

    /// The action that this palette word runs.
    pub fn commanded(word: &str) -> Option<Self> {
        ACTIONS.iter().find(|action| action.command.is_some_and(|c| c.word == word)).map(|action| action.id)
    }

    /// The action that this verb of the command line stands for.
    pub fn of_verb(verb: &str) -> Option<Self> {
        ACTIONS.iter().find(|action| action.cli == Some(verb)).map(|action| action.id)
    }

    pub const fn name(self) -> &'static str {
        self.action().name
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_words_and_verbs_are_unique_and_find_their_action() {
        let mut seen = BTreeSet::new();
        for action in ACTIONS {
            assert!(seen.insert(action.name), "{} twice", action.name);
            assert_eq!(ActionId::named(action.name), Some(action.id));
            assert_eq!(action.id.action(), *action);
            if let Some(command) = action.command {
                assert!(seen.insert(command.word), "command {} twice", command.word);
                assert_eq!(ActionId::commanded(command.word), Some(action.id));
            }
            if let Some(verb) = action.cli {
                assert_eq!(ActionId::of_verb(verb), Some(action.id), "verb {verb} twice");
            }
        }
        assert_eq!(ActionId::named("jobs.delete"), None);
    }

    #[test]
    fn descriptions_are_one_sentence_and_names_are_scope_and_verb() {
        for action in ACTIONS {
            assert!(action.help.ends_with('.') && action.help.matches(". ").count() == 0, "{}", action.name);
            assert!(action.help.chars().next().is_some_and(char::is_uppercase), "{}", action.name);
            assert!(action.help.chars().count() <= 72, "{} does not fit the help overlay", action.name);
            assert_eq!(action.name.split('.').count(), 2, "{}", action.name);
        }
    }

    #[test]
    fn whatever_changes_the_outside_says_that_a_preview_follows() {
        for action in ACTIONS.iter().filter(|a| a.kind == Kind::Mutate && a.id != ActionId::PreviewConfirm) {
            assert!(action.title.ends_with('…'), "{}", action.name);
        }
        assert_eq!(ActionId::PreviewConfirm.action().scope, Scope::Preview);
    }

    #[test]
    fn a_preview_never_falls_through_to_the_screen_below() {
        let names = |scope: Scope| scope.chain().map(Scope::name).collect::<Vec<_>>().join(" ");
        assert_eq!(names(Scope::Preview), "preview always");
        assert_eq!(names(Scope::Prompt), "prompt always");
        assert_eq!(names(Scope::Log), "log list global always");
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(scope));
        }
    }
}
