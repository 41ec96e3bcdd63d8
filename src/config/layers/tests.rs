use std::time::Duration;

use super::super::value::Color;
use super::*;

const TOKEN: &str = "glpat-canary-7fJq2";

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: Path::new(path).into(), text: text.to_owned(), project: path.ends_with(".stackhand.toml") }
}

fn user(text: &str) -> SourceFile {
    file("/home/amy/.config/stackhand/config.toml", text)
}

fn project(text: &str) -> SourceFile {
    file("/src/packages/.stackhand.toml", text)
}

fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.to_owned(), key: key.to_owned(), value: value.to_owned() }
}

fn load(files: Vec<SourceFile>, variables: &[(&str, &str)], flags: Vec<Flag>) -> Result<Loaded, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    merge(Sources { files, variables, flags })
}

fn error_of(text: &str) -> String {
    load(vec![user(text)], &[], vec![]).unwrap_err().to_string()
}

fn warnings(loaded: &Loaded) -> String {
    loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_any_source_the_public_instance_is_read_anonymously() {
    let loaded = load(vec![], &[("HOME", "/home/amy"), ("PATH", "/bin")], vec![]).unwrap();
    let config = &loaded.config;
    assert_eq!(
        (config.gitlab.url.as_str(), config.gitlab.project.as_str()),
        ("https://gitlab.spack.io", "spack/spack-packages")
    );
    assert_eq!((config.actions.mode, &loaded.token), (Mode::ReadOnly, &TokenSource::Nowhere));
    assert_eq!(config.budget.trace_timeout, Duration::from_mins(5));
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_nearer_layer_wins_and_says_so() {
    let key = "actions.wave";
    let mut files = vec![file("/etc/stackhand/config.toml", "[actions]\nwave = 1")];
    let origin = |files: Vec<SourceFile>, variables: &[(&str, &str)], flags| {
        let loaded = load(files, variables, flags).unwrap();
        (loaded.config.actions.wave, loaded.origin(key).to_string())
    };
    let again =
        |files: &[SourceFile]| files.iter().map(|f| file(&f.path.to_string_lossy(), &f.text)).collect::<Vec<_>>();
    assert_eq!(origin(again(&files), &[], vec![]), (1, "/etc/stackhand/config.toml:2".to_owned()));
    files.push(user("# mine\n\n[actions]\nwave = 2"));
    assert_eq!(origin(again(&files), &[], vec![]), (2, "/home/amy/.config/stackhand/config.toml:4".to_owned()));
    files.push(project("actions.wave = 3"));
    assert_eq!(origin(again(&files), &[], vec![]), (3, "/src/packages/.stackhand.toml:1".to_owned()));
    let variables = [("STACKHAND_ACTIONS_WAVE", "4")];
    assert_eq!(origin(again(&files), &variables, vec![]), (4, "env STACKHAND_ACTIONS_WAVE".to_owned()));
    let flags = vec![flag("--wave", key, "5")];
    assert_eq!(origin(again(&files), &variables, flags), (5, "flag --wave".to_owned()));
    let empty = [("STACKHAND_ACTIONS_WAVE", "")];
    assert_eq!(origin(again(&files), &empty, vec![]).0, 3, "an empty variable says nothing");
}

#[test]
fn explain_names_every_setting_once_with_its_origin() {
    let loaded = load(
        vec![user("[ui]\ncolor = 256\n[[guard]]\nkind = 'rate'\nlimit = 20\nper = '10m'\nmatch = 'size:large'\nreason = 'Few large nodes.'")],
        &[("STACKHAND_POLL_VISIBLE", "2s")],
        vec![flag("--gitlab", "gitlab.url", "http://127.0.0.1:9/")],
    )
    .unwrap();
    let lines: Vec<_> =
        loaded.explain().into_iter().map(|e| format!("{} = {} ({})", e.key, e.value, e.origin)).collect();
    assert_eq!(lines.len(), SETTINGS.len() + 2);
    for line in [
        "gitlab.url = http://127.0.0.1:9 (flag --gitlab)",
        "poll.visible = 2s (env STACKHAND_POLL_VISIBLE)",
        "ui.color = 256 (/home/amy/.config/stackhand/config.toml:2)",
        "budget.in_flight = 4 (built-in)",
        "gitlab.token = none (built-in)",
        "guard[1] = rate 20 per 10m for `size:large` (/home/amy/.config/stackhand/config.toml:3)",
    ] {
        assert!(lines.contains(&line.to_owned()), "{line} is not in {lines:#?}");
    }
    assert_eq!(loaded.config.ui.color, Color::C256);
}

#[test]
fn a_wrong_value_is_refused_with_its_place_and_what_was_expected() {
    assert_eq!(
        error_of("[actions]\n  hold = \"90s\""),
        "/home/amy/.config/stackhand/config.toml:2:10: `actions.hold` is `90s`; expected a length of time such as 500ms, 5s, 10m or 1h30m from 0s to 1m"
    );
    assert!(error_of("[actions]\nhold = 5").contains("`5`; expected a length of time"));
    assert!(error_of("[ui]\nutc = 'maybe'").contains(":2:7: `ui.utc` is `maybe`; expected true or false"));
    assert!(error_of("[budget]\nin_flight = 0").contains("from 1 to 64"));
    assert!(error_of("[pipelines]\nrefs = [1, 2]").contains("a list of things that are not texts"));
    assert!(error_of("[gitlab\nurl = 1").contains("config.toml:1:"));
    assert!(error_of("ui.utc = true\nui.utc = false").contains("config.toml:2:"));
    let variable = load(vec![], &[("STACKHAND_UI_COLOR", "lots")], vec![]).unwrap_err().to_string();
    assert_eq!(variable, "env STACKHAND_UI_COLOR: `ui.color` is `lots`; expected auto, truecolor, 256, 16 or mono");
    let unknown = load(vec![], &[], vec![flag("--set", "ui.them", "dusk")]).unwrap_err().to_string();
    assert!(unknown.contains("flag --set: there is no setting `ui.them` (did you mean `ui.theme`?)"), "{unknown}");
}

#[test]
fn unknown_names_are_warnings_with_the_nearest_one() {
    let loaded = load(
        vec![user("[gitlab]\nprojekt = 'a/b'\n[weather]\nsunny.today = true"), project("theme = 'dusk'")],
        &[("STACKHAND_GITLAB_ULR", "x"), ("STACKHAND_GITLAB_TOKEN", TOKEN)],
        vec![],
    )
    .unwrap();
    let text = warnings(&loaded);
    for part in [
        "config.toml:2:11: there is no setting `gitlab.projekt` (did you mean `gitlab.project`?)",
        "there is no setting `weather.sunny.today`; see",
        ".stackhand.toml:1:9: there is no setting `theme` (did you mean `ui.theme`?)",
        "env STACKHAND_GITLAB_ULR: no setting has this variable (did you mean `STACKHAND_GITLAB_URL`?)",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(loaded.warnings.len(), 4);
}

#[test]
fn guards_add_up_and_half_a_guard_is_an_error() {
    let guard = |rest: &str| format!("[[guard]]\nreason = 'Because.'\n{rest}\n");
    let loaded = load(
        vec![
            user(&(guard("kind = 'deny'\nmatch = 'stack:bootstrap*'") + &guard("kind = 'typed'"))),
            project(&(guard("kind = 'role'\nrole = 'maintainer'") + &guard("kind = 'tries'\nlimit = 3\nlimmit = 4"))),
        ],
        &[],
        vec![],
    )
    .unwrap();
    let rules: Vec<_> = loaded.config.guards.iter().map(|guard| guard.rule).collect();
    assert_eq!(
        rules,
        [
            guard::Rule::Deny,
            guard::Rule::Typed { over: 0 },
            guard::Rule::Role { least: guard::Role::Maintainer },
            guard::Rule::Tries { limit: 3 }
        ]
    );
    assert!(warnings(&loaded).contains("`guard.limmit` (did you mean `limit`?)"));
    for (text, said) in [
        (guard("kind = 'rate'\nlimit = 2"), "config.toml:1:1: the guard lacks `per`"),
        (guard("kind = 'max_bulk'"), "the guard lacks `limit`"),
        (guard("kind = 'forbid'"), "expected deny, typed, max_bulk, rate, tries or role"),
        ("[[guard]]\nkind = 'deny'".to_owned(), "the guard lacks `reason`"),
        ("[guard]\nkind = 'deny'".to_owned(), "write [[guard]]"),
        ("guard = [1]".to_owned(), "write [[guard]]"),
    ] {
        let error = error_of(&text);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_is_retried_unasked_is_whole_and_the_owners_own() {
    let text = "[[auto_retry]]\nclass = 'spot_reclamation'\nlimit = 20\nbudget = 100\n";
    let loaded = load(vec![user(text), project(&text.replace("20", "2000"))], &[], vec![]).unwrap();
    let shown: Vec<String> = loaded.config.auto_retries.iter().map(auto::AutoRetry::show).collect();
    assert_eq!(shown, ["spot_reclamation: 2 tries, 20 per 1h, 100 per day"]);
    assert!(warnings(&loaded).contains("auto_retry"), "{}", warnings(&loaded));
    assert!(load(vec![], &[], vec![]).unwrap().config.auto_retries.is_empty(), "off by default");
    for (text, said) in [
        (text.replace("limit = 20\n", ""), "the auto_retry lacks `limit`"),
        (text.replace("budget = 100\n", ""), "the auto_retry lacks `budget`"),
        (text.replace("[[auto_retry]]", "[auto_retry]"), "write [[auto_retry]]"),
    ] {
        let error = error_of(&text);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn paths_of_a_file_start_at_that_file_or_at_home() {
    let loaded = load(
        vec![user("gitlab.token_file = 'token'\nstore.path = '~/ops/stackhand.db'")],
        &[("HOME", "/home/amy")],
        vec![],
    )
    .unwrap();
    assert_eq!(loaded.config.gitlab.token_file, Some("/home/amy/.config/stackhand/token".into()));
    assert_eq!(loaded.config.store.path, Some("/home/amy/ops/stackhand.db".into()));
    let loaded = load(vec![], &[("STACKHAND_STORE_PATH", "here.db")], vec![]).unwrap();
    assert_eq!(loaded.config.store.path, Some("here.db".into()));
}

#[test]
fn a_token_makes_the_console_writable_unless_told_otherwise() {
    let token = [("STACKHAND_GITLAB_TOKEN", TOKEN)];
    let loaded = load(vec![], &token, vec![]).unwrap();
    assert_eq!(loaded.token, TokenSource::Variable("STACKHAND_GITLAB_TOKEN".to_owned()));
    assert_eq!(loaded.config.actions.mode, Mode::ReadWrite);
    let readonly = load(vec![], &token, vec![flag("--readonly", "actions.mode", "ro")]).unwrap();
    assert_eq!(readonly.config.actions.mode, Mode::ReadOnly);
    let named =
        load(vec![], &[("AMYS_TOKEN", TOKEN)], vec![flag("--token-env", "gitlab.token_env", "AMYS_TOKEN")]).unwrap();
    assert_eq!(named.token, TokenSource::Variable("AMYS_TOKEN".to_owned()));
    let filed = load(vec![user("gitlab.token_file = '/run/secrets/gitlab'")], &[], vec![]).unwrap();
    assert_eq!(filed.token, TokenSource::File("/run/secrets/gitlab".into()));
}

#[test]
fn a_shared_token_is_not_sent_to_an_address_nobody_chose() {
    let shared = ("GITLAB_TOKEN", TOKEN);
    let loaded = load(vec![], &[shared], vec![]).unwrap();
    assert!(matches!(&loaded.token, TokenSource::Withheld(why) if why.contains("STACKHAND_GITLAB_TOKEN")));
    assert_eq!(loaded.config.actions.mode, Mode::ReadOnly);
    assert!(warnings(&loaded).starts_with("no token is sent: GITLAB_TOKEN"));
    let chosen = load(vec![user("gitlab.url = 'https://gitlab.example.org'")], &[shared], vec![]).unwrap();
    assert_eq!(chosen.token, TokenSource::Variable("GITLAB_TOKEN".to_owned()));
    let own = load(vec![], &[shared, ("STACKHAND_GITLAB_TOKEN", TOKEN)], vec![]).unwrap();
    assert_eq!(own.token, TokenSource::Variable("STACKHAND_GITLAB_TOKEN".to_owned()));
}

#[test]
fn a_cloned_project_cannot_reach_for_secrets() {
    let token = [("STACKHAND_GITLAB_TOKEN", TOKEN), ("AWS_SECRET_ACCESS_KEY", "canary")];
    let hostile = project(
        "[gitlab]\nurl = 'https://collect.example'\ntoken_env = 'AWS_SECRET_ACCESS_KEY'\ntoken_file = '/home/amy/.ssh/id'\n[store]\npath = '/tmp/x.db'",
    );
    let loaded = load(vec![hostile], &token, vec![]).unwrap();
    assert_eq!(loaded.config.gitlab.url.as_str(), "https://collect.example");
    assert!(
        matches!(&loaded.token, TokenSource::Withheld(why) if why.contains(".stackhand.toml:2")),
        "{:?}",
        loaded.token
    );
    assert_eq!(loaded.config.actions.mode, Mode::ReadOnly);
    assert_eq!((loaded.config.gitlab.token_file.as_ref(), loaded.config.store.path.as_ref()), (None, None));
    assert_eq!(warnings(&loaded).matches("is ignored in a project file").count(), 3);
    // Whoever repeats the address in a place of their own has seen it.
    let trusted = load(
        vec![project("gitlab.url = 'https://gitlab.example.org'")],
        &token,
        vec![flag("--gitlab", "gitlab.url", "https://gitlab.example.org")],
    )
    .unwrap();
    assert_eq!(trusted.token, TokenSource::Variable("STACKHAND_GITLAB_TOKEN".to_owned()));
}

#[test]
fn the_token_shows_up_nowhere() {
    let loaded = load(vec![], &[("STACKHAND_GITLAB_TOKEN", TOKEN)], vec![]).unwrap();
    assert!(!format!("{loaded:?} {:?}", loaded.explain()).contains("canary"));
    assert!(loaded.explain().iter().any(|e| e.key == "gitlab.token" && e.value == "set (not shown)"));
}
