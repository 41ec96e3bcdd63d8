//! The one table of settings, and the plain structs that it fills.

use std::path::PathBuf;
use std::time::Duration;

use super::auto::AutoRetry;
use super::database::StoreUrl;
use super::guard::Guard;
use super::value::{Ascii, BaseUrl, Color, Listen, Mode, Names, Raw, Value, accept, expected};

/// One line of the table.
pub struct Setting {
    /// `section.name`, as it stands in a file.
    pub key: &'static str,
    pub help: &'static str,
    /// A project file must not set it: such files arrive with a clone, from people who must not choose where secrets and records go.
    pub owner_only: bool,
    pub(super) is_path: bool,
    expected: fn() -> String,
    assign: fn(&mut Config, &Raw) -> Result<(), String>,
    show: fn(&Config) -> String,
}

impl Setting {
    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("STACKHAND_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// What may be written, as it reads after "expected".
    pub fn expected(&self) -> String {
        (self.expected)()
    }

    /// The value that a configuration holds, as one would write it.
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }

    /// Puts a value into a configuration; the error says what was expected.
    pub(super) fn assign(&self, config: &mut Config, raw: &Raw) -> Result<(), String> {
        (self.assign)(config, raw)
    }
}

/// The table of all settings in Markdown, for the README.
pub fn reference() -> String {
    let defaults = Config::default();
    let lines = SETTINGS.iter().map(|setting| {
        let default = match setting.show(&defaults) {
            empty if empty.is_empty() => "–".to_owned(),
            default => format!("`{default}`"),
        };
        let help = setting.help.replace('|', "\\|");
        format!("| `{}` | {default} | {help} Takes {}. |", setting.key, setting.expected())
    });
    let head = ["| setting | default | what it does |", "|---|---|---|"].map(str::to_owned);
    head.into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

macro_rules! settings {
    (@range) => { None };
    (@range $range:expr) => { Some($range) };
    (@owner) => { false };
    (@owner owner) => { true };
    ($(
        $(#[$about:meta])*
        $section:ident: $Section:ident {
            $( $help:literal $name:ident: $Type:ty $([$range:expr])? $({$scope:ident})? = $default:expr; )*
        }
    )*) => {
        $(
            $(#[$about])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Section { $( #[doc = $help] pub $name: $Type, )* }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $name: $default, )* }
                }
            }
        )*

        /// Every effective value. Plain data: whoever needs a part gets that part as an argument.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Config {
            $( $(#[$about])* pub $section: $Section, )*
            /// Guardrails, in the order in which the layers name them. A nearer layer adds to them and can take none away.
            pub guards: Vec<Guard>,
            /// What is retried without being asked. Only the user's own files and those of the machine may say so.
            pub auto_retries: Vec<AutoRetry>,
        }

        /// What can be set.
        pub static SETTINGS: &[Setting] = &[ $( $( Setting {
            key: concat!(stringify!($section), ".", stringify!($name)),
            help: $help,
            is_path: <$Type as Value>::IS_PATH,
            owner_only: settings!(@owner $($scope)?),
            expected: || expected::<$Type>(settings!(@range $($range)?).as_ref()),
            assign: |config, raw| {
                config.$section.$name = accept(raw, settings!(@range $($range)?).as_ref())?;
                Ok(())
            },
            show: |config| config.$section.$name.show(),
        }, )* )* ];
    };
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

settings! {
    /// The GitLab instance and the project on it.
    gitlab: Gitlab {
        "Address of the GitLab instance. When a project file chooses it, no token is sent there."
        url: BaseUrl = BaseUrl::spack();
        "The project whose pipelines are shown."
        project: String = "spack/spack-packages".to_owned();
        "Environment variables that may hold the token; the first that is set counts. `GITLAB_TOKEN`, which other tools share, is not sent \
         to the built-in address."
        token_env: Names {owner} = Names::of(&["STACKHAND_GITLAB_TOKEN", "GITLAB_TOKEN"]);
        "A file whose first line is the token; read when no variable holds one."
        token_file: Option<PathBuf> {owner} = None;
    }
    /// What a server is asked at most, and how long it may take.
    budget: Budget {
        "Requests under way at the same time."
        in_flight: u32 [1..=64] = 4;
        "Requests per second."
        per_second: u32 [1..=100] = 5;
        "Time to reach a server."
        connect_timeout: Duration [secs(1)..=secs(300)] = secs(10);
        "Time for one request, from sending it to the end of its answer."
        timeout: Duration [secs(1)..=secs(3_600)] = secs(30);
        "Time for one piece of a job log."
        trace_timeout: Duration [secs(1)..=secs(3_600)] = secs(300);
    }
    /// How often things are looked at again.
    poll: Poll {
        "What is on the screen."
        visible: Duration [secs(1)..=secs(3_600)] = secs(10);
        "What is followed but not on the screen."
        background: Duration [secs(5)..=secs(86_400)] = secs(60);
        "The list of pipelines."
        pipelines: Duration [secs(5)..=secs(86_400)] = secs(30);
    }
    /// Which pipelines are followed.
    pipelines: Pipelines {
        "How many parent pipelines are followed, the newest first."
        limit: u32 [1..=500] = 20;
        "Branches and tags that are followed, `*` standing for anything; without any, all are."
        refs: Names = Names::default();
    }
    /// How actions are sent.
    actions: Actions {
        "Whether anything may be changed. `auto` means `rw` with a token and `ro` without."
        mode: Mode = Mode::Auto;
        "How long a confirmed plan can be undone before anything is sent."
        hold: Duration [secs(0)..=secs(60)] = secs(5);
        "How many targets of a plan are sent at once."
        wave: u32 [1..=500] = 20;
        "The most targets that are confirmed with one key; for more, their number must be typed."
        max_bulk: u32 [1..=5_000] = 50;
        "Whether runners may be paused and resumed."
        runners: bool = false;
        "Whether nodes may be closed for new pods (cordoned), and opened again."
        nodes: bool = false;
        "Whether pods may be deleted whose jobs are over, or that hang."
        pods: bool = false;
        "Whether alerts may be silenced at Alertmanager."
        silences: bool = false;
    }
    /// How child pipelines are generated.
    generation: Generation {
        "Entries that one job's `needs` may have: the server's `ci_needs_size_limit`."
        needs: u32 [3..=10_000] = 50;
        "Kilobytes of the generated file that a trigger job may include: the server's `max_artifacts_content_include_size`."
        file_kb: u32 [1..=1_000_000] = 5_120;
        "Kilobytes of the generated file with its aliases written out: the server's `max_yaml_size_bytes`."
        expanded_kb: u32 [1..=1_000_000] = 51_200;
        "Build jobs of one pipeline beyond which it is taken for a rebuild storm."
        max_jobs: u32 [1..=100_000] = 2_000;
        "Predicted hours of building beyond which a pipeline is taken for a rebuild storm."
        max_hours: u32 [1..=1_000_000] = 1_500;
        "The `spack` that concretizes where a lock is missing or older than its manifest; without one, generation stops there."
        spack: Option<PathBuf> {owner} = None;
        "How often the daemon looks whether generate jobs have ended, whose pipelines it then holds against locks and caches."
        every: Duration [secs(10)..=secs(86_400)] = secs(120);
        "How old a pipeline may be when the daemon looks at it for the first time."
        window: Duration [secs(600)..=secs(604_800)] = secs(21_600);
        "Where the jobs of protected branches find binaries, below `REF/STACK`; those of pull requests look there as well."
        protected_cache: String = "s3://spack-binaries".to_owned();
        "Where the jobs of pull requests find binaries, below `PROJECT/REF/STACK`."
        pr_cache: String = "s3://spack-binaries-prs".to_owned();
        "The branch below whose name pull requests look for binaries: `PR_TARGET_REF_NAME`."
        pr_target: String = "develop".to_owned();
    }
    /// Why jobs failed.
    taxonomy: Taxonomy {
        "Logs of failed jobs that are read at once to find their causes; with 0 none is read unless somebody opens it."
        logs: u32 [0..=16] = 2;
        "Days for which failures are remembered."
        keep_days: u32 [1..=3_650] = 90;
    }
    /// Binary caches: where they are, and what may be said of them.
    cache: Cache {
        "Addresses below which binary caches are looked for: `s3://BUCKET/PREFIX`, `file:///…` or an absolute path."
        mirrors: Names = Names::of(&["s3://spack-binaries", "s3://spack-binaries-prs"]);
        "How often the console lists the mirrors by itself; with 0s only when somebody asks, since a listing may take thousands of requests."
        every: Duration [secs(0)..=secs(604_800)] = secs(0);
        "Requests to mirrors under way at the same time."
        in_flight: u32 [1..=256] = 16;
        "A file with the public keys whose signatures count, armored or not."
        keyring: Option<PathBuf> {owner} = None;
        "The age from which an index is called old."
        index_age: Duration [secs(60)..=secs(31_536_000)] = secs(86_400);
        "Days in which every stack must have been generated, and whose locks are kept."
        keep_days: u32 [1..=365] = 14;
        "DAG hashes that are kept whatever happens."
        pins: Names = Names::default();
        "Percent of a cache's manifests or bytes beyond which a prune plan is refused."
        max_share: u32 [1..=100] = 30;
    }
    /// The cluster in which jobs run. With neither a kubeconfig nor `in_cluster`, none is asked.
    kubernetes: Kubernetes {
        "The kubeconfig by which the cluster is watched."
        kubeconfig: Option<PathBuf> {owner} = None;
        "The context of the kubeconfig; without one, its current one."
        context: String {owner} = String::new();
        "Whether the service account of the pod in which this runs is used where no kubeconfig is named."
        in_cluster: bool {owner} = false;
        "Whether the kubeconfig may run a program to log in."
        allow_login: bool {owner} = false;
        "The namespace of job pods."
        namespace: String = "pipeline".to_owned();
        "The namespace of the pods of runner managers."
        manager_namespace: String = "gitlab".to_owned();
        "Jobs that each class of runners takes at once, `CLASS=SLOTS`; used where no metric tells."
        slots: Names = Names::default();
    }
    /// Where metrics are asked for: prices, failed launches, reclaims. Without an address, none is asked.
    prometheus: Prometheus {
        "Address of the Prometheus server."
        url: Option<BaseUrl> {owner} = None;
        "Environment variables that may hold its bearer token; the first that is set counts."
        token_env: Names {owner} = Names::of(&["STACKHAND_PROMETHEUS_TOKEN"]);
        "A file whose first line is its bearer token; read when no variable holds one."
        token_file: Option<PathBuf> {owner} = None;
    }
    /// Whose alerts are shown beside our own. Without an address, none is asked.
    alertmanager: Alertmanager {
        "Address of the Alertmanager."
        url: Option<BaseUrl> {owner} = None;
        "Environment variables that may hold its bearer token; the first that is set counts."
        token_env: Names {owner} = Names::of(&["STACKHAND_ALERTMANAGER_TOKEN"]);
        "A file whose first line is its bearer token; read when no variable holds one."
        token_file: Option<PathBuf> {owner} = None;
    }
    /// Whose pull requests the bridge copies to GitLab. Without a repository there is no bridge.
    github: Github {
        "The repository: `OWNER/NAME`."
        repository: String {owner} = String::new();
        "Address of GitHub's API; that of an Enterprise server ends in `/api/v3`."
        url: BaseUrl {owner} = BaseUrl::github();
        "The repository's address for git; without one, it is on github.com. It names no credentials."
        git_url: String {owner} = String::new();
        "Environment variables that may hold the token; the first that is set counts."
        token_env: Names {owner} = Names::of(&["STACKHAND_GITHUB_TOKEN"]);
        "A file whose first line is the token; read when no variable holds one."
        token_file: Option<PathBuf> {owner} = None;
        "The number of the GitHub App as which it is asked, in place of a token; with 0, as none."
        app: u32 {owner} = 0;
        "The number of the App's installation."
        installation: u32 {owner} = 0;
        "The App's private key, as PEM."
        app_key: Option<PathBuf> {owner} = None;
    }
    /// What the bridge copies, and what it waits for.
    bridge: Bridge {
        "The GitLab project's address for git, `https://…` or `ssh://…`; without one, that of the project. It names no credentials."
        git_url: String {owner} = String::new();
        "The key for ssh; without one, the token is used."
        ssh_key: Option<PathBuf> {owner} = None;
        "The file with the host keys of GitLab that are trusted."
        known_hosts: Option<PathBuf> {owner} = None;
        "The folder of the bridge's own git repository; without one, it is in the user's state folder."
        folder: Option<PathBuf> {owner} = None;
        "How often the bridge looks by itself."
        every: Duration [secs(5)..=secs(86_400)] = secs(30);
        "How often the bridge's companions look by themselves."
        companions_every: Duration [secs(5)..=secs(86_400)] = secs(600);
        "The companions that a daemon lets act: `skipped`, `triggers`, `stuck`; the others say what they would do."
        companions: Names {owner} = Names::default();
        "How long a pipeline may run before the companions cancel it and start it anew."
        stuck_after: Duration [secs(3_600)..=secs(2_592_000)] = secs(86_400);
        "Pull requests into this branch wait until GitLab has tested what they branched off; without a name, none does."
        main: String = "develop".to_owned();
        "Check runs that must have succeeded before a pull request is copied."
        prerequisites: Names = Names::of(&["all-prechecks"]);
        "The label without which nothing is copied."
        required_label: String = String::new();
        "The label with which a pull request does not wait for main."
        urgent_label: String = "pipelines:urgent".to_owned();
        "Whether drafts are copied."
        drafts: bool = false;
        "Whether protected branches are copied."
        branches: bool = true;
        "Whether tags are copied."
        tags: bool = true;
        "Whether statuses are posted on GitHub."
        statuses: bool = true;
        "The name under which statuses are posted."
        context: String = "ci/gitlab-ci".to_owned();
        "Pull requests to which nothing has happened for longer are left alone."
        stale_after: Duration [secs(60)..=secs(31_536_000)] = secs(172_800);
        "Whether a head is merged again when main has moved on."
        refresh: bool = false;
        "Where no pull request may go besides what GitHub and GitLab protect (Maintainers are told): names, or patterns with `*`."
        protected: Names {owner} = Names::default();
        "Whether protected branches that were rewritten on GitHub are rewritten on GitLab."
        force_branches: bool {owner} = false;
        "Whether tags that were moved on GitHub are moved on GitLab."
        force_tags: bool {owner} = false;
    }
    /// `stackhand daemon`.
    daemon: Daemon {
        "The loops that a daemon runs unless it is told others."
        loops: Names {owner} = Names::of(&["taxonomy", "caches", "fleet", "generation", "bridge", "companions"]);
        "Where a daemon tells its health and its numbers; `none` opens no door. Whoever reaches the address may read them."
        listen: Listen {owner} = Listen::loopback(9797);
        "How often the loop `caches` lists the mirrors: a listing may take thousands of requests."
        caches: Duration [secs(60)..=secs(604_800)] = secs(21_600);
        "Time for one round of a loop; then it is cut off."
        deadline: Duration [secs(1)..=secs(86_400)] = secs(1_200);
        "The longest wait before a loop that failed is tried again."
        backoff: Duration [secs(1)..=secs(86_400)] = secs(300);
    }
    /// Webhooks that a daemon takes at `/hooks/github` and `/hooks/gitlab` of its address; a forge without a secret has no door there.
    hooks: Hooks {
        "Environment variables that may hold what GitHub signs with; all that are set count, so that one can take the place of another."
        github_env: Names {owner} = Names::of(&["STACKHAND_GITHUB_HOOK_SECRET"]);
        "A file with what GitHub signs with, one secret a line; read when no variable holds one."
        github_file: Option<PathBuf> {owner} = None;
        "Environment variables that may hold the token of GitLab's webhooks; all that are set count."
        gitlab_env: Names {owner} = Names::of(&["STACKHAND_GITLAB_HOOK_TOKEN"]);
        "A file with the token of GitLab's webhooks, one a line; read when no variable holds one."
        gitlab_file: Option<PathBuf> {owner} = None;
    }
    /// What the screen looks like.
    ui: Ui {
        "The theme: one that is built in or a file of the `themes` folder beside the user's configuration."
        theme: String = "terminal".to_owned();
        "The keymap: `vim`, `emacs` or a file of the `keymaps` folder beside the user's configuration."
        keymap: String = "vim".to_owned();
        "How many colours the terminal has."
        color: Color = Color::Auto;
        "Whether to draw with ASCII only. `auto` looks at the locale."
        ascii: Ascii = Ascii::Auto;
        "Whether the clock of the console is shown in UTC, or in the time zone of the machine."
        utc: bool = true;
        "Milliseconds after which an escape byte is the Esc key and not the start of a sequence."
        escape_ms: u32 [0..=500] = 25;
    }
    /// Job logs.
    log: Log {
        "Megabytes of one log that are kept in memory; the rest goes to a temporary file."
        memory_mb: u32 [1..=1_024] = 16;
    }
    /// What is remembered between runs.
    store: Store {
        "The database with the audit and the caches; without one, a file named after host and project in the user's state folder."
        path: Option<PathBuf> {owner} = None;
        "The address of a database of PostgreSQL, in place of a file: several machines may share it, and daemons on it take turns to lead."
        url: Option<StoreUrl> {owner} = None;
        "A file whose first line is the password for `store.url`; without one, PGPASSWORD, PGPASSFILE and `~/.pgpass` are asked."
        password_file: Option<PathBuf> {owner} = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_default_reads_back_as_itself() {
        let defaults = Config::default();
        for setting in SETTINGS {
            let mut config = Config::default();
            let shown = setting.show(&defaults);
            setting.assign(&mut config, &Raw::Text(shown.clone())).unwrap_or_else(|e| panic!("{}: {e}", setting.key));
            assert_eq!(setting.show(&config), shown, "{}", setting.key);
            assert_eq!(config, defaults, "{}", setting.key);
        }
    }

    #[test]
    fn keys_and_variables_are_unique_and_explained() {
        let keys: HashSet<_> = SETTINGS.iter().map(|s| s.key).collect();
        let variables: HashSet<_> = SETTINGS.iter().map(Setting::variable).collect();
        assert_eq!((keys.len(), variables.len()), (SETTINGS.len(), SETTINGS.len()));
        assert_eq!(Setting::find("ui.escape_ms").unwrap().variable(), "STACKHAND_UI_ESCAPE_MS");
        assert!(SETTINGS.iter().all(|s| s.help.ends_with('.') && !s.expected().is_empty()));
    }

    #[test]
    fn the_readme_has_the_reference() {
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&reference()), "put this into README.md, below Configuration:\n{}", reference());
    }

    #[test]
    fn the_reference_has_a_line_for_each_setting() {
        let text = reference();
        assert_eq!(text.lines().count(), SETTINGS.len() + 2);
        assert!(text.contains("| `actions.hold` | `5s` |"), "{text}");
        assert!(text.contains("from 0s to 1m"), "{text}");
        assert!(text.contains("| `store.path` | – |"), "{text}");
    }
}
