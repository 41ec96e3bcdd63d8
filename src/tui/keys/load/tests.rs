use super::super::{Branch, Pending, Step};
use super::*;

fn load(text: &str) -> Result<Keymap, String> {
    let find = |name: &str| (name == "mine").then(|| Source::new("mine.toml", text));
    Keymap::load("mine", &find).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(text: &str, want: &str) {
    assert_eq!(load(text).map(|_| ()), Err(want.to_owned()), "{text}");
}

/// Types a chord where `scope` is innermost and says what the last key did.
fn typed(keymap: &Keymap, scope: Scope, keys: &str) -> Step {
    let mut pending = Pending::default();
    let mut step = Step::Unbound;
    for key in keys.split_whitespace() {
        step = keymap.step(scope, &mut pending, Chord::parse(key).unwrap().keys()[0]);
    }
    step
}

#[test]
fn mistakes_are_refused_with_file_and_line() {
    refused(
        "[[bind]]\non = \"g g\"\nrun = \"list.tpo\"\nscope = \"list\"\n",
        "mine.toml:3: unknown action `list.tpo`; did you mean `list.top`?",
    );
    refused(
        "\nbind = [\n  { on = \"j\", run = \"list.down\", scope = \"lst\" },\n]",
        "mine.toml:3: unknown scope `lst`; did you mean `list`?",
    );
    refused(
        "bind = [\n { on = \"j\", run = \"list.down\", scope = \"list\" },\n { on = \"k\", run = \"list.up\", scope = \"list\" },\n { on = \"j\", run = \"list.up\", scope = \"list\" },\n]",
        "mine.toml:4: `j` is bound twice in scope `list`; first on line 2",
    );
    refused(
        "bind = [\n { on = \"gg\", run = \"list.top\", scope = \"list\" },\n]",
        "mine.toml:2: unknown key `gg`; write `C-x`, `M-v`, `RET`, `Space`, `Tab`, `Esc`, `F1` or one character",
    );
    refused("bind = [\n { on = \"g\", run = \"list.top\" },\n]", "mine.toml:2: this entry has no `scope`");
    refused("[[bind]]\non = \"g\"\nrun = 7\nscope = \"list\"", "mine.toml:3: `run` must be a text in quotes");
    refused("inherits = \"vim\"\n[[bnid]]\n", "mine.toml:2: unknown key `bnid`; did you mean `bind`?");
    refused(
        "bind = [\n { on = \"g\", rnu = \"list.top\", scope = \"list\" },\n]",
        "mine.toml:2: unknown key `rnu`; did you mean `run`?",
    );
    refused("inherits = \"vmi\"\n", "mine.toml:1: inherits `vmi`, which is neither a file here nor built in");
    refused(
        "inherits = \"vim\"\n\n[[unbind]]\non = \"C-q\"\nscope = \"list\"\n",
        "mine.toml:4: `C-q` is not bound in scope `list`; remove this entry",
    );
    refused(
        "bind = [\n { on = \"z w\", run = \"log.wrap\", scope = \"list\" },\n]",
        "mine.toml:2: `log.wrap` belongs to scope `log` and does nothing in scope `list`",
    );
    refused(
        "bind = [\n { on = \"a\", run = \"prompt.home\", scope = \"prompt\" },\n]",
        "mine.toml:2: `a` is text in a prompt; begin with control, alt or a named key",
    );
    assert!(load("bind = [\n { on = \n").unwrap_err().starts_with("mine.toml:"));
    assert_eq!(
        Keymap::load("nano", &|_| None).map_err(|e| e.to_string()).unwrap_err(),
        "nano:0: no file of this name, and none is built in"
    );
}

#[test]
fn a_mutation_never_sits_on_a_key_pressed_by_habit() {
    for key in ["C-c", "C-d", "C-k", "C-s", "C-z", "C-w", "Esc", "BS"] {
        let text = format!("[[bind]]\non = \"{key}\"\nrun = \"jobs.cancel\"\nscope = \"list\"\n");
        refused(
            &text,
            &format!(
                "mine.toml:2: `jobs.cancel` changes things and may not sit on `{key}`, which fingers press by habit; choose another key"
            ),
        );
        // As part of a longer chord, and for harmless actions, they are fine.
        assert!(load(&text.replace("jobs.cancel", "list.down")).is_ok(), "{key}");
        assert_eq!(load(&text.replace(key, &format!("M-q {key}"))).is_ok(), key != "Esc", "{key}");
    }
    let outside = "bind = [\n { on = \"y\", run = \"preview.confirm\", scope = \"global\" },\n]";
    refused(outside, "mine.toml:2: `preview.confirm` belongs to scope `preview` and does nothing in scope `global`");
}

#[test]
fn shadows_are_found_both_ways_and_across_scopes() {
    refused(
        "bind = [\n { on = \"g\", run = \"list.top\", scope = \"list\" },\n { on = \"g g\", run = \"list.top\", scope = \"list\" },\n]",
        "mine.toml:3: `g g` in scope `list` is hidden by `g` in scope `list` (mine.toml:2); unbind one of them",
    );
    refused(
        "bind = [\n { on = \"g g\", run = \"list.top\", scope = \"list\" },\n { on = \"g\", run = \"app.help\", scope = \"global\" },\n]",
        "mine.toml:3: `g` in scope `global` hides `g g` in scope `list` (mine.toml:2); unbind one of them",
    );
    let vim_line = 1 + BUILT_IN[0].1.lines().position(|line| line.contains("\"y i\"")).unwrap();
    refused(
        "inherits = \"vim\"\n\n[[bind]]\non = \"y\"\nrun = \"copy.id\"\nscope = \"list\"\n",
        &format!(
            "mine.toml:4: `y` in scope `list` hides `y c` in scope `list` (vim.toml:{}); unbind one of them",
            vim_line + 3
        ),
    );
    // A preview is modal, so its `y` and the copy chords of the list below never meet.
    let vim = Keymap::shipped("vim").unwrap();
    assert_eq!(typed(&vim, Scope::Preview, "y"), Step::Run(ActionId::PreviewConfirm));
    assert_eq!(typed(&vim, Scope::List, "y"), Step::Pending);
}

#[test]
fn chords_lead_to_actions() {
    let (vim, emacs) = (Keymap::shipped("vim").unwrap(), Keymap::shipped("emacs").unwrap());
    for (keymap, scope, keys, want) in [
        (&vim, "list", "g g", "list.top"),
        (&vim, "list", "g z", "screen.audit"),
        (&vim, "log", "g g", "list.top"),
        (&vim, "log", "z w", "log.wrap"),
        (&vim, "log", "g p", "log.pager"),
        (&vim, "log", "/", "log.search"),
        (&vim, "dag", "/", "list.filter"),
        (&vim, "dag", "z a", "dag.lens_all"),
        (&vim, "log", "z a", "log.fold"),
        (&vim, "dag", "] e", "trouble.next"),
        (&vim, "list", "y i", "copy.id"),
        (&vim, "list", "C-z", "app.suspend"),
        (&vim, "prompt", "C-z", "app.suspend"),
        (&vim, "prompt", "C-c", "prompt.cancel"),
        (&vim, "global", "Esc", "view.back"),
        (&emacs, "list", "M-<", "list.top"),
        (&emacs, "list", "C-c r", "jobs.retry"),
        (&emacs, "preview", "C-c C-c", "preview.confirm"),
        (&emacs, "global", "C-x C-c", "app.quit"),
        (&emacs, "global", "C-7", "hold.undo"),
        (&emacs, "list", "C-c y l", "copy.link"),
        (&emacs, "log", "C-c TAB", "log.fold"),
        (&emacs, "global", "C-c 4", "screen.jobs"),
    ] {
        let step = typed(keymap, Scope::named(scope).unwrap(), keys);
        assert_eq!(step, Step::Run(ActionId::named(want).unwrap()), "{} {scope} {keys}", keymap.name());
    }
    assert_eq!(typed(&vim, Scope::Preview, "r"), Step::Unbound);
    assert_eq!(typed(&vim, Scope::Prompt, "q"), Step::Unbound);
    assert_eq!(typed(&vim, Scope::List, "g Esc"), Step::Cancelled);
    assert_eq!(typed(&emacs, Scope::List, "C-c C-g"), Step::Cancelled);
    assert_eq!(typed(&vim, Scope::List, "g q"), Step::Unbound);
    assert_eq!(typed(&vim, Scope::List, "g Esc j"), Step::Run(ActionId::ListDown));
}

#[test]
fn every_action_is_reachable_from_both_maps_or_by_a_palette_word() {
    for (name, _) in BUILT_IN {
        let keymap = Keymap::shipped(name).unwrap();
        let unbound: Vec<_> = ACTIONS
            .iter()
            .filter(|action| keymap.shortest(action.id).is_none())
            .map(|action| (action.name, action.command.is_some()))
            .filter(|(action, _)| !(*name == "emacs" && *action == "app.interrupt"))
            .collect();
        let palette_only =
            ["go.pipeline", "list.filter_clear", "app.theme", "app.keymap", "app.readonly", "app.dry_run", "app.perf"];
        assert_eq!(unbound, palette_only.map(|action| (action, true)), "{name}");
    }
}

#[test]
fn a_user_file_overrides_and_unbinds_what_it_inherits() {
    let keymap = load(
        "inherits = \"vim\"\nunbind = [ { on = \"g g\", scope = \"list\" } ]\n[[bind]]\non = \"r\"\nrun = \"list.reverse\"\nscope = \"list\"\ndesc = \"other way round\"\n",
    )
    .unwrap();
    assert_eq!(typed(&keymap, Scope::List, "g g"), Step::Unbound);
    let r = Chord::parse("r").unwrap();
    let binding = keymap.get(Scope::List, &r).unwrap();
    assert_eq!((binding.action, binding.title()), (ActionId::ListReverse, "other way round"));
    assert_eq!((&*binding.origin.file, binding.origin.line), ("mine.toml", 4));
    assert!(keymap.chords(ActionId::JobsRetry, Scope::List).is_empty());
}

#[test]
fn a_file_named_like_the_built_in_one_may_inherit_it() {
    let find = |name: &str| {
        (name == "vim").then(|| {
            Source::new(
                "keymaps/vim.toml",
                "inherits = \"vim\"\nbind = [ { on = \"C-t\", run = \"list.top\", scope = \"list\" } ]",
            )
        })
    };
    let keymap = Keymap::load("vim", &find).unwrap();
    assert_eq!(typed(&keymap, Scope::List, "C-t"), Step::Run(ActionId::ListTop));
    assert_eq!(typed(&keymap, Scope::List, "G"), Step::Run(ActionId::ListBottom));
}

#[test]
fn which_key_lists_what_may_follow() {
    let vim = Keymap::shipped("vim").unwrap();
    let mut pending = Pending::default();
    vim.step(Scope::Log, &mut pending, Key::plain(Code::Char('g')));
    let shown: Vec<String> = vim
        .continuations(Scope::Log, &pending)
        .into_iter()
        .map(|next| match next.leads_to {
            Branch::Action(binding) => format!("{} {}", key_name(next.key, false), binding.action),
            Branch::More(count) => format!("{} +{count}", key_name(next.key, false)),
        })
        .collect();
    assert_eq!(
        shown,
        ["a screen.alerts", "g list.top", "m app.messages", "n jobs.pod", "p log.pager", "z screen.audit"]
    );
    let first = vim.continuations(Scope::Log, &Pending::default());
    let z = first.iter().find(|next| next.key == Key::plain(Code::Char('z'))).unwrap();
    assert_eq!(z.leads_to, Branch::More(6));
}

#[test]
fn reverse_lookup_leaves_out_what_an_inner_scope_took_over() {
    let vim = Keymap::shipped("vim").unwrap();
    let shown =
        |action, scope| vim.chords(action, scope).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(shown(ActionId::ListFilter, Scope::List), "/");
    assert_eq!(shown(ActionId::ListFilter, Scope::Log), "");
    assert_eq!(shown(ActionId::ListTop, Scope::List), "Home, g g");
    assert_eq!(vim.shortest(ActionId::JobsRetry).map(ToString::to_string).as_deref(), Some("r"));
}
