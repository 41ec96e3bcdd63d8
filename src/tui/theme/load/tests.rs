use super::*;

fn load(text: &str, depth: Depth) -> Result<Theme, String> {
    let find = |name: &str| (name == "mine").then(|| Source::new("mine.toml", text));
    Theme::load("mine", depth, &find).map_err(|error| error.to_string())
}

#[test]
fn mistakes_are_refused_with_file_line_and_nearest_name() {
    for (text, want) in [
        (
            "inherits = \"dusk\"\n[role]\n\"state.fial\" = \"red\"\n",
            "mine.toml:3: unknown role `state.fial`; did you mean `state.fail`?",
        ),
        ("inherits = \"dusk\"\n[role]\ntitle = \"rde\"\n", "mine.toml:3: unknown colour `rde`; did you mean `red`?"),
        (
            "inherits = \"dusk\"\n[role]\ntitle = \"red blod\"\n",
            "mine.toml:3: unknown attribute `blod`; did you mean `bold`?",
        ),
        ("inherits = \"dusk\"\n[role]\ntitle = \"blink\"\n", "mine.toml:3: unknown colour `blink`"),
        ("inherits = \"dusk\"\n[role]\ntitle = \"red on\"\n", "mine.toml:3: a colour must follow `on`"),
        (
            "inherits = \"dusk\"\n[role]\ntitle = { c265 = \"red\" }\n",
            "mine.toml:3: unknown key `c265`; did you mean `c256`?",
        ),
        (
            "inherits = \"dusk\"\n[role]\ntitle = 4\n",
            "mine.toml:3: write a role as a text like \"red bold\", or a table with any, c256, c16, mono",
        ),
        ("inherits = \"dusk\"\n[palette]\nsky = \"#12345\"\n", "mine.toml:3: unknown colour `#12345`"),
        ("inherits = \"dsuk\"\n", "mine.toml:1: inherits `dsuk`, which is neither a file here nor built in"),
        ("kind = \"gray\"\ninherits = \"dusk\"\n", "mine.toml:1: kind `gray` is not one of dark, light, any"),
        (
            "\n\n[role]\ntext = \"white\"\n",
            "mine.toml:3: role `text.dim` is missing; give it a style, or inherit a theme that has one",
        ),
        ("inherits = \"dusk\"\n[rolle]\n", "mine.toml:2: unknown key `rolle`; did you mean `role`?"),
    ] {
        assert_eq!(load(text, Depth::True).map(|_| ()), Err(want.to_owned()), "{text}");
    }
}

#[test]
fn every_shipped_theme_is_complete_at_every_depth() {
    for (name, text) in BUILT_IN {
        for depth in [Depth::Mono, Depth::Sixteen, Depth::Indexed, Depth::True] {
            let theme = Theme::shipped(name, depth).unwrap();
            for role in Role::ALL {
                let style = theme.style(role);
                for color in [style.fg, style.bg].into_iter().flatten() {
                    let fits = match depth {
                        Depth::Mono => false,
                        Depth::Sixteen => !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                        Depth::Indexed => !matches!(color, Color::Rgb(..)),
                        Depth::True => true,
                    };
                    assert!(fits, "{name} {} {color} at {depth:?}", role.name());
                }
            }
        }
        assert!(text.contains(&format!("name = \"{name}\"")));
    }
}

#[test]
fn mono_says_with_attributes_what_colours_say_elsewhere() {
    for (name, _) in BUILT_IN {
        let theme = Theme::shipped(name, Depth::Mono).unwrap();
        for (role, want) in [
            (Role::StateFail, Modifier::REVERSED | Modifier::BOLD),
            (Role::StateWarn, Modifier::BOLD | Modifier::UNDERLINED),
            (Role::StateRun, Modifier::BOLD),
            (Role::StateWait, Modifier::empty()),
            (Role::StateOk, Modifier::DIM),
            (Role::StateSkip, Modifier::DIM),
            (Role::FreshStale, Modifier::DIM),
        ] {
            assert_eq!(theme.style(role), Style::new().add_modifier(want), "{name} {}", role.name());
        }
    }
}

#[test]
fn the_terminal_theme_uses_the_owners_colours_and_paints_no_background() {
    let theme = Theme::shipped("terminal", Depth::True).unwrap();
    assert_eq!(theme.kind(), Kind::Any);
    for role in Role::ALL {
        let style = theme.style(role);
        assert!(is_exact(style) && style.bg.is_none(), "{}", role.name());
    }
}

#[test]
fn a_child_recolours_through_the_palette_and_keeps_hand_picked_sixteen_colours() {
    let mine = "inherits = \"dusk\"\n[palette]\ngood = \"#123456\"\n";
    assert_eq!(load(mine, Depth::True).unwrap().style(Role::StateOk).fg, Some(Color::Rgb(0x12, 0x34, 0x56)));
    let sixteen = |text: &str| load(text, Depth::Sixteen).unwrap().style(Role::StateFail).fg;
    // A hex colour keeps the inherited 16-colour word; a named one replaces it.
    assert_eq!(sixteen("inherits = \"terminal\"\n[role]\n\"state.fail\" = \"#ff00ff\"\n"), Some(Color::Red));
    assert_eq!(sixteen("inherits = \"terminal\"\n[role]\n\"state.fail\" = \"magenta\"\n"), Some(Color::Magenta));
    let by_depth = "inherits = \"dusk\"\n[role]\ntitle = { any = \"#00ff00\", c256 = \"201\" }\n";
    assert_eq!(load(by_depth, Depth::Indexed).unwrap().style(Role::Title).fg, Some(Color::Indexed(201)));
}

/// WCAG 2 contrast of two colours.
fn contrast(ink: Color, paper: Color) -> f64 {
    let luminance = |color| {
        let Color::Rgb(r, g, b) = color else { unreachable!("{color} is not painted") };
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    };
    let (ink, paper) = (luminance(ink), luminance(paper));
    (ink.max(paper) + 0.05) / (ink.min(paper) + 0.05)
}

#[test]
fn text_can_be_read_on_every_painted_background() {
    let lines = [Role::Border, Role::BorderFocus, Role::GraphEdge, Role::GraphGhost];
    for (name, least) in [("dusk", 4.5), ("day", 4.5), ("deuter", 4.5), ("high-contrast", 7.0)] {
        let theme = Theme::shipped(name, Depth::True).unwrap();
        let paper = theme.style(Role::Text).bg.unwrap();
        let cursor = theme.style(Role::Cursor).bg.unwrap();
        assert!(contrast(paper, cursor) > 1.15, "{name}: the cursor row is hard to see");
        for role in Role::ALL {
            let style = theme.style(role);
            assert!(!style.add_modifier.contains(Modifier::DIM), "{name} {}: dim on paint is a guess", role.name());
            let Some(fg) = style.fg else { continue };
            let least: f64 = if lines.contains(&role) { 2.0 } else { least };
            for (behind, least) in [(style.bg.unwrap_or(paper), least), (style.bg.unwrap_or(cursor), least.min(4.5))] {
                let found = contrast(fg, behind);
                assert!(found >= least, "{name} {}: {found:.1} on {behind}", role.name());
            }
        }
    }
}
