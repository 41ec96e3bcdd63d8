use proptest::prelude::*;

use super::*;

fn facts(env: &[(&str, &str)]) -> Facts {
    Facts {
        platform: "linux".to_owned(),
        os: "debian12".to_owned(),
        target: "x86_64_v3".to_owned(),
        hostname: "runner-7".to_owned(),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

fn ci() -> Facts {
    facts(&[("SPACK_CI_TARGET", "x86_64_v3"), ("EMPTY", "")])
}

#[test]
fn the_conditions_of_production_are_answered() {
    let condition = |target: &str| {
        format!(r#"platform == "linux" and not env.get("CRAYPE_VERSION") and env.get("SPACK_CI_TARGET") == "{target}""#)
    };
    assert!(holds(&condition("x86_64_v3"), &ci()).unwrap());
    assert!(!holds(&condition("x86_64_v4"), &ci()).unwrap());
    let cray = facts(&[("SPACK_CI_TARGET", "x86_64_v3"), ("CRAYPE_VERSION", "2.7")]);
    assert!(!holds(&condition("x86_64_v3"), &cray).unwrap());
    let sles = r#""sles" in os and env.get("CRAYPE_VERSION")"#;
    assert!(!holds(sles, &cray).unwrap());
    assert!(holds(sles, &Facts { os: "sles15".to_owned(), ..cray }).unwrap());
}

#[test]
fn answers_are_those_of_python() {
    for (expression, want) in [
        ("True", true),
        ("not True", false),
        ("not not True", true),
        ("None", false),
        (" platform", true),
        ("env.get('EMPTY')", false),
        ("env.get('NONE')", false),
        ("env.get('NONE', 'x') == 'x'", true),
        ("env.get('EMPTY', 'x') == 'x'", false),
        ("env['SPACK_CI_TARGET'] == target", true),
        ("'EMPTY' in env and 'NONE' not in env", true),
        ("env.get('NONE') is None", true),
        ("env.get('EMPTY') is not None", true),
        ("env.get('NONE') == None", true),
        // `not` binds less than a comparison, `and` less than `not`, `or` least.
        ("not platform == 'darwin'", true),
        ("True or False and False", true),
        ("(True or False) and False", false),
        ("not False and False", false),
        ("platform == 'linux' == True", false),
        ("'linux' == platform == 'linux'", true),
        ("platform != 'linux'", false),
        // The value of `or` is one of its sides.
        ("(env.get('NONE') or 'x') == 'x'", true),
        ("(env.get('NONE') and 'x') == None", true),
        // What need not be asked is not asked.
        ("env.get('NONE') and 'x' in env.get('NONE')", false),
        ("True or env['NONE']", true),
        ("platform in ['darwin', 'linux']", true),
        ("platform in ('darwin',)", false),
        ("'' in platform", true),
        ("[]", false),
        ("re.search(r'^x86_64(_v\\d)?$', target)", true),
        ("re.search('86', target) is not None", true),
        ("re.match('86', target)", false),
        ("re.match('a|x', target)", true),
        ("re.fullmatch('x86', target)", false),
        ("os.startswith('debian') and not os.endswith('1')", true),
        ("env.get('SPACK_CI_TARGET').upper() == 'X86_64_V3'", true),
        ("arch_str == 'platform=linux os=debian12 target=x86_64_v3'", true),
        ("arch.satisfies('target=x86_64_v3') and architecture.satisfies('os=debian12 platform=linux')", true),
        ("arch.satisfies('arch=linux-debian11-x86_64_v3')", false),
        (r#"'it\'s' == "it's""#, true),
        (r"'a\d' == r'a\d'", true),
        ("hostname == \"runner-7\"\n  and True", true),
    ] {
        assert_eq!(holds(expression, &ci()).map_err(|e| e.to_string()), Ok(want), "{expression}");
    }
}

#[test]
fn everything_else_is_an_error_with_its_column() {
    for (expression, column, word) in [
        ("", 1, "the end"),
        ("platfrom == 'linux'", 1, "`platfrom` is unknown"),
        ("platform = 'linux'", 10, "`=`"),
        ("platform == 'linux", 13, "no end"),
        ("platform == 'li\\", 13, "no end"),
        ("platform == ", 13, "the end"),
        ("(platform", 10, "`)` is missing"),
        ("platform)", 9, "`)`"),
        ("()", 1, "nothing"),
        ("platform == 3", 13, "numbers"),
        ("platform < 'm'", 10, "`<`"),
        ("platform not 'm'", 14, "`in` is missing"),
        ("platform is 'linux'", 10, "write `==`"),
        ("platform == 'a' 'b'", 17, "two texts"),
        ("f'{platform}'", 1, "texts of the kind `f"),
        ("'''x'''", 1, "three quotes"),
        ("'\\x41'", 2, "escape"),
        ("platform if True else os", 10, "`if`"),
        ("__import__('os').system('id')", 11, "`(`"),
        ("env.__class__", 14, "`(` is missing"),
        ("env.pop('X')", 5, "`pop` on `env`"),
        ("env.get()", 5, "`get` on `env`"),
        ("env.get(None)", 5, "`get` on `env`"),
        ("env['NONE']", 4, "NONE is not set"),
        ("platform['x']", 9, "on a text"),
        ("'x' in None", 5, "a text cannot be looked for in nothing"),
        ("None in platform", 6, "nothing cannot be looked for in a text"),
        ("env.get('NONE').lower()", 17, "`lower` on nothing"),
        ("arch == 'linux-debian12-x86_64'", 6, "`arch` cannot be compared"),
        ("arch.satisfies('target=x86_64:')", 6, "only one platform"),
        ("arch.satisfies('zlib')", 6, "`zlib`"),
        ("re.search('(?=x)', target)", 4, "pattern is not supported"),
        ("re.search('(', target)", 4, "pattern is not supported"),
        ("re.search('x{1000}{1000}{1000}', target)", 4, "pattern is not supported"),
        ("re.sub('a', 'b', target)", 4, "`sub` on `re`"),
        ("ÄÖ == 'x'", 1, "`ÄÖ`"),
        ("'ÄÖ' == §", 9, "`§`"),
    ] {
        let error = holds(expression, &ci()).unwrap_err();
        assert_eq!(error.column, column, "{error}");
        assert!(error.what.contains(word), "{error}");
        assert!(error.to_string().contains(expression.lines().next().unwrap_or_default()), "{error}");
    }
}

#[test]
fn deep_and_long_expressions_are_refused() {
    for expression in ["(".repeat(3_000), "not ".repeat(900), "[".repeat(3_000), "x".repeat(1 << 20), {
        format!("os{}", ".lower()".repeat(300))
    }] {
        let error = holds(&expression, &ci()).unwrap_err().to_string();
        assert!(error.len() < 400, "{error}");
    }
    let wide = vec!["True"; 400].join(" and ");
    assert!(holds(&wide, &ci()).unwrap());
}

#[test]
fn messages_hold_no_values_and_no_control_characters() {
    let facts = facts(&[("TOKEN", "canary")]);
    assert!(!format!("{facts:?}").contains("canary"));
    let error = holds("env['TOKEN'] in re\u{1b}", &facts).unwrap_err().to_string();
    assert!(!error.contains("canary") && !error.contains('\u{1b}'), "{error}");
}

proptest! {
    #[test]
    fn rubbish_never_panics(text in ".{0,120}") {
        let _ = holds(&text, &ci());
    }

    #[test]
    fn rubbish_of_known_words_never_panics(words in prop::collection::vec(
        prop::sample::select(vec![
            "not", "and", "or", "in", "is", "==", "!=", "(", ")", "[", "]", ",", ".", "env", ".get", "re", ".search(", "arch", "'a'",
            "r'('", "\"", "'", "\\", "None", "True", "platform", "os", "lower()", "\n",
        ]),
        0..40,
    )) {
        let _ = holds(&words.join(" "), &ci());
    }
}
