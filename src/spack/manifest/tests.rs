use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::spack::Lock;
use crate::spack::condition::Facts;
use crate::spack::yaml::Value;

fn manifest(text: &str) -> Manifest {
    Manifest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn fault(text: &str) -> String {
    Manifest::parse(text.as_bytes()).expect_err(text).to_string()
}

fn facts() -> Facts {
    Facts { platform: "linux".to_owned(), ..Facts::default() }
}

fn specs(text: &str) -> Result<Vec<String>, String> {
    manifest(text).specs(&facts()).map_err(|error| error.to_string())
}

/// The folder of fixtures, where there is one.
fn fixtures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = root.ancestors().map(|folder| folder.join("shared/fixtures/spack")).find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no fixtures beside the project");
    }
    found
}

#[test]
fn a_manifest_is_a_map_under_spack() {
    let found = manifest("spack:\n  view: false\n  cdash: {build-group: E4S}\n");
    assert_eq!(found.sections().get("cdash").unwrap().get("build-group"), Some(&Value::text("E4S")));
    assert_eq!(manifest("spack:\n").sections().len(), 0);
    for (text, word) in [
        ("", "the file is empty"),
        ("{}", "empty map"),
        ("env: {}", "0.19"),
        ("ci: {}", "starts with `ci`"),
        ("[spack]", "a list"),
        ("spack: [x]", "must be a map"),
        ("spack: {a: 1, a: 2}", "damaged"),
        ("spack: {a: [}", "damaged"),
        ("spack: {include: configs}", "`spack:include` is a text but must be a list"),
        ("spack: {include: [1]}", "`spack:include[0]` is a number"),
        ("spack: {include: ['']}", "is empty"),
        ("spack: {include: [{when: x}]}", "has no `path`"),
        ("spack: {include: [{path: x, wehn: y}]}", "`wehn`"),
        ("spack: {include: [{path: x, when: true}]}", "`spack:include[0]:when` is a switch"),
        ("spack: {include: [{path: x, optional: 'yes'}]}", "must be true or false"),
        ("spack: {include: [{git: x}]}", "has no `paths`"),
    ] {
        let error = fault(text);
        assert!(error.contains(word), "{text}: {error}");
    }
    assert!(Manifest::parse(b"spack: {a: \xff}").unwrap_err().to_string().contains("not UTF-8 at byte 11"));
    let mut bomb = String::from("spack:\n  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..9 {
        writeln!(bomb, "  a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(",")).unwrap();
    }
    assert!(fault(&bomb).contains("damaged"));
}

#[test]
fn includes_keep_what_is_written() {
    let text = "spack:\n  include:\n  - ../../.ci/gitlab/\n  - path: https://x.org/ci.yaml\n    sha256: abc\n    \
                when: platform == \"linux\"\n    optional: true\n  - {git: https://x.org/r, branch: main, paths: [a, b]}\n";
    let includes = manifest(text).includes();
    assert_eq!(includes[0].path(), Some("../../.ci/gitlab/"));
    assert!(!includes[0].optional && includes[0].when.is_none());
    assert_eq!(includes[1].path(), Some("https://x.org/ci.yaml"));
    assert_eq!(includes[1].when.as_deref(), Some("platform == \"linux\""));
    assert!(includes[1].optional && includes[1].sha256.as_deref() == Some("abc"));
    let git = IncludeTarget::Git { url: "https://x.org/r".to_owned(), paths: vec!["a".to_owned(), "b".to_owned()] };
    assert_eq!(includes[2].target, git);
}

#[test]
fn lists_references_and_matrices_expand_as_documented() {
    let list = |texts: &[&str]| Ok(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    assert_eq!(specs("spack: {specs: [zlib, '', hdf5 +mpi, ~]}"), list(&["zlib", "hdf5 +mpi"]));
    assert_eq!(specs("spack: {view: false}"), list(&[]));
    let text = "
spack:
  definitions:
  - first: [libelf, libdwarf]
  - compilers: ['%gcc', '%intel']
  - second:
    - $first
    - matrix:
      - [zlib]
      - [$compilers]
  specs:
  - $second
  - cmake
";
    assert_eq!(specs(text), list(&["libelf", "libdwarf", "zlib %gcc", "zlib %intel", "cmake"]));
    let text = "
spack:
  definitions:
  - compilers: [gcc@8.1.0]
  - mpis: [mvapich2@2.3.1]
  - packages: [hdf5+mpi]
  - packages: [scr]
    when: platform == 'darwin'
  - packages: [zfp]
    when: platform == 'linux'
  specs:
  - $compilers
  - matrix: [[$mpis], [$%compilers]]
  - matrix: [[$packages], [$^mpis], [$%compilers]]
";
    let want = [
        "gcc@8.1.0",
        "mvapich2@2.3.1 %gcc@8.1.0",
        "hdf5+mpi %gcc@8.1.0 ^mvapich2@2.3.1",
        "zfp %gcc@8.1.0 ^mvapich2@2.3.1",
    ];
    assert_eq!(specs(text), list(&want));
    let text = "
spack:
  specs:
  - matrix: [[zlib, libdwarf], ['%gcc@7.1.0', '%gcc@4.9.3']]
    exclude: [libdwarf%gcc@4.9.3]
  - matrix:
    - [a]
    - - matrix: [[+x], [+y, +z]]
      - +w
  - matrix: [[a], []]
  - {matrix: [[mpich, openmpi]], sigil: ^}
";
    let want = [
        "zlib %gcc@7.1.0",
        "zlib %gcc@4.9.3",
        "libdwarf %gcc@7.1.0",
        "a +x +y",
        "a +x +z",
        "a +w",
        "^mpich",
        "^openmpi",
    ];
    assert_eq!(specs(text), list(&want));
}

#[test]
fn what_does_not_expand_is_named() {
    for (sections, word) in [
        ("specs: zlib", "`spack:specs` is a text but must be a list"),
        ("specs: [1.2]", "`spack:specs[0]` is a number"),
        ("specs: [[zlib]]", "`spack:specs[0]` is a list"),
        ("specs: [{group: tools, specs: [zlib]}]", "has `group`, which is not supported"),
        ("specs: [{exclude: [zlib]}]", "has no `matrix`"),
        ("specs: [{matrix: []}]", "without rows"),
        ("specs: [{matrix: zlib}]", "a text but must be a list of lists"),
        ("specs: [{matrix: [zlib]}]", "`spack:specs[0]:matrix[0]` is a text"),
        ("specs: [{matrix: [[~]]}]", "`spack:specs[0]:matrix[0][0]` is nothing"),
        ("specs: [{matrix: [[zlib]], exclude: [1]}]", "`spack:specs[0]:exclude` holds a number"),
        ("specs: [{matrix: [[zlib], [hdf5]]}]", "combines `zlib` with `hdf5`"),
        (
            "specs: [{matrix: [[zlib]], exclude: ['zlib target=x86_64:']}]",
            "`spack:specs[0]:exclude` cannot be compared with `zlib`",
        ),
        (
            "specs: [{matrix: [[zlib]], exclude: ['zlib %%%']}]",
            "`spack:specs[0]:exclude` cannot be compared with `zlib`",
        ),
        ("specs: [{matrix: [[zlib]], sigil: '@'}]", "must be `^` or `%`"),
        ("specs: [$none]", "`spack:specs[0]` refers to `$none`"),
        ("specs: [], definitions: [{a: [$b]}, {b: [x]}]", "`spack:definitions[0]:a[0]` refers to `$b`"),
        ("specs: [], definitions: [{a: [$a]}]", "refers to `$a`"),
        ("specs: [], definitions: [{a: [], b: []}]", "defines `a` and `b`"),
        ("specs: [], definitions: [{when: 'True'}]", "defines no list"),
        ("specs: [], definitions: [x]", "must be a map"),
        ("specs: [], definitions: [{a: x}]", "`spack:definitions[0]:a` is a text but must be a list"),
        ("specs: [], definitions: [{a: [], when: true}]", "quote it"),
        ("specs: [], definitions: [{a: [], when: nonsense}]", "`spack:definitions[0]`: the condition `nonsense`"),
    ] {
        let error = specs(&format!("spack: {{{sections}}}")).expect_err(sections);
        assert!(error.contains(word), "{sections}: {error}");
    }
}

#[test]
fn expansion_is_bounded() {
    let row = format!("[{}]", vec!["+x"; 50].join(","));
    let matrix = format!("spack: {{specs: [{{matrix: [{}]}}]}}", vec![row.as_str(); 20].join(","));
    assert!(specs(&matrix).unwrap_err().contains("more than 100000 specs"));
    let mut doubling = String::from("spack:\n  definitions:\n  - a0: [x, y]\n");
    let mut nested = String::from("spack:\n  definitions:\n  - a0: [x]\n");
    for n in 1..2_000 {
        writeln!(doubling, "  - a{n}: [$a{0}, $a{0}]", n - 1).unwrap();
        writeln!(nested, "  - a{n}: [{{matrix: [[$a{}]]}}]", n - 1).unwrap();
    }
    assert!(specs(&doubling).unwrap_err().contains("more than 100000 specs"));
    assert!(specs(&nested).unwrap_err().contains("more than 100000 specs"));
    let long = "x".repeat(300_000);
    let wide = vec!["+y"; 20_000].join(",");
    assert!(specs(&format!("spack: {{specs: [{{matrix: [[{long}], [{wide}]]}}]}}")).unwrap_err().contains("more than"));
}

#[test]
fn only_include_paths_change_in_the_text() {
    let moved = |path: &str| {
        path::relocated(Path::new(path), Path::new("gen/x"), Path::new("jobs/x/env"))
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    for (before, after) in [
        (
            "# head\nspack:\n  include:   # why\n  - ../../.ci/gitlab/  # here\n\n  specs: [ \"a\" ]\n",
            "# head\nspack:\n  include:   # why\n  - ../../../.ci/gitlab  # here\n\n  specs: [ \"a\" ]\n",
        ),
        (
            "spack: {include: [a, 'b c', \"d\"]}",
            "spack: {include: [../../../gen/x/a, '../../../gen/x/b c', \"../../../gen/x/d\"]}",
        ),
        (
            "spack:\n  include:\n  - when: os == \"x\"\n    path: 'it''s'\n  - https://a.b/c.yaml\n  - path: /etc/x\n    optional: true\n",
            "spack:\n  include:\n  - when: os == \"x\"\n    path: '../../../gen/x/it''s'\n  - https://a.b/c.yaml\n  - path: /etc/x\n    \
             optional: true\n",
        ),
        ("spack:\r\n  include:\r\n  - ../a\r\n", "spack:\r\n  include:\r\n  - ../../../gen/a\r\n"),
        ("\u{feff}spack:\n  include:\n  - ../a\n", "\u{feff}spack:\n  include:\n  - ../../../gen/a\n"),
        (
            "é: ü\nspack:\n  ä: ö\n  include: [ß, {path: ../ñ}]\n",
            "é: ü\nspack:\n  ä: ö\n  include: [../../../gen/x/ß, {path: ../../../gen/ñ}]\n",
        ),
        ("spack:\n  'include:': [../a]\n", "spack:\n  'include:': [../../../gen/a]\n"),
        ("spack:\n  include::\n  - ../a\n", "spack:\n  include::\n  - ../../../gen/a\n"),
        (
            "spack:\n  include:\n  - {git: https://a.b/c, branch: x, paths: [p]}\n  - ../a\n",
            "spack:\n  include:\n  - {git: https://a.b/c, branch: x, paths: [p]}\n  - ../../../gen/a\n",
        ),
        (
            "spack:\n  x: &here ../a\n  include:\n  - *here\n",
            "spack:\n  x: &here ../a\n  include:\n  - ../../../gen/a\n",
        ),
        ("spack:\n  include:\n  - \"\\x2e./a\"\n", "spack:\n  include:\n  - \"../../../gen/a\"\n"),
        (
            "include: [a]\nspack:\n  ci: {include: [b]}\n  include: [../c]\n",
            "include: [a]\nspack:\n  ci: {include: [b]}\n  include: [../../../gen/c]\n",
        ),
        ("spack: {specs: [a]}", "spack: {specs: [a]}"),
    ] {
        assert_eq!(manifest(before).rewritten(moved), Ok(after.to_owned()), "{before}");
    }
}

#[test]
fn new_paths_are_quoted_where_they_must_be() {
    let text = "spack:\n  include:\n  - plain\n  - 'single'\n  - \"double\"\n";
    for new in [
        "~", "null", "true", "1", "1.5", "a: b", "a #b", "- x", "[x]", "{x", "*x", "&x", "!x", "%x", "@x", "it's",
        "\"", "\\", "a\tb", "a\nb", "\u{85}", "", " a ",
    ] {
        let got = manifest(text).rewritten(|_| new.to_owned()).unwrap_or_else(|error| panic!("{new:?}: {error}"));
        let paths: Vec<_> = Value::parse(got.as_bytes())
            .unwrap()
            .get("spack")
            .and_then(|spack| spack.get("include"))
            .and_then(Value::as_list)
            .unwrap()
            .to_vec();
        assert_eq!(paths, vec![Value::text(new); 3], "{got}");
    }
}

#[test]
fn a_path_that_cannot_be_replaced_alone_is_an_error() {
    for text in [
        "spack:\n  include:\n  - &here ../a\n  x: *here\n",
        "spack:\n  include:\n  - >-\n    ../a\n",
        "spack:\n  include:\n  - |-\n    ../a\n",
        "spack:\n  include:\n  - '../a\n    b'\n",
        "spack:\n  include:\n  - ../a\n    b\n",
        "spack:\n  x: &all [../a]\n  include: *all\n",
    ] {
        match manifest(text).rewritten(|path| format!("../{path}")) {
            Err(error) => {
                assert!(error.to_string().contains("../a") && error.to_string().contains("one line"), "{error}");
            }
            // Where it succeeds after all, it must be right; `check` has seen to that.
            Ok(got) => panic!("{text} became {got}"),
        }
    }
}

#[test]
fn fixtures_are_rewritten_as_spack_does() {
    let Some(fixtures) = fixtures() else { return };
    let mut seen = 0;
    for stack in ["build_systems", "radiuss"] {
        for case in std::fs::read_dir(fixtures.join("generate").join(stack)).unwrap() {
            let case = case.unwrap().path();
            let text = std::fs::read(case.join("input/spack.yaml")).unwrap();
            let found = Manifest::parse(&text).unwrap();
            let (from, to) = (format!("gen/{stack}"), format!("jobs_scratch_dir/{stack}/concrete_environment"));
            let got = found.rewritten(|path| {
                let moved = path::relocated(Path::new(path), Path::new(&from), Path::new(&to)).unwrap();
                moved.to_str().unwrap().to_owned()
            });
            let got = got.unwrap();
            let want = std::fs::read(case.join("expected/concrete_environment.spack.yaml")).unwrap();
            assert_eq!(Value::parse(got.as_bytes()), Value::parse(&want), "{}", case.display());
            let changed = got.lines().zip(found.text().lines()).filter(|(new, old)| new != old).count();
            assert_eq!(changed, 1, "{}", case.display());
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
}

#[test]
fn every_spec_of_the_real_stacks_is_a_root_of_its_lock() {
    let Some(fixtures) = fixtures() else { return };
    let locks = fixtures.join("locks");
    for stack in ["build_systems", "radiuss", "developer-tools-x86_64_v3-linux-gnu", "e4s", "mini", "mini-spack-0.23"] {
        let folder = locks.join(stack);
        let found = Manifest::parse(&std::fs::read(folder.join("spack.yaml")).unwrap()).unwrap();
        let wanted = found.specs(&facts()).unwrap();
        let bytes = std::fs::read(folder.join("spack.lock")).unwrap_or_else(|_| {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(folder.join("spack.lock.gz")).unwrap();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
            bytes
        });
        let lock = Lock::parse(&bytes).unwrap();
        assert_eq!(missing_roots(&wanted, &lock), Vec::<String>::new(), "{stack}");
        assert_eq!(lock.roots_in(&wanted).len(), lock.roots().len(), "{stack}");
        let more = [wanted, vec!["quandary".to_owned()]].concat();
        assert_eq!(missing_roots(&more, &lock), ["quandary"]);
    }
}

#[test]
fn case_16_a_spec_that_left_the_manifest_is_not_wanted() {
    let wanted = manifest("spack: {specs: [lua, hdf5 ~mpi +fortran]}").specs(&facts()).unwrap();
    let lock = Lock::parse(include_bytes!("../testdata/mini-v6.lock")).unwrap();
    let roots: Vec<&str> = lock.roots_in(&wanted).into_iter().map(|root| &*root.spec).collect();
    assert_eq!(roots, ["lua", "hdf5+fortran~mpi"]);
    assert_eq!(missing_roots(&wanted, &lock), Vec::<String>::new());
}

proptest! {
    #[test]
    fn rubbish_never_panics(text in "(spack|include|specs|matrix|definitions|when|path|exclude|a|b|\\$a|\\^|%|@|:|- |\\[|\\]|\\{|\\}|,|\n|  | |'|\"|&|\\*){0,60}") {
        if let Ok(found) = Manifest::parse(text.as_bytes()) {
            let _ = found.specs(&facts());
            let _ = found.rewritten(|path| format!("../{path}"));
        }
    }

    #[test]
    fn rewriting_is_exact(paths in prop::collection::vec("[ -~]{1,12}", 1..5), style in 0..3_usize) {
        let quoted = paths.iter().map(|path| match style {
            0 => format!("'{}'", path.replace('\'', "''")),
            1 => format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"")),
            _ => format!("{{path: '{}', optional: true}}", path.replace('\'', "''")),
        });
        let text = format!("# x\nspack:\n  include: [{}] # y\n  view: no\n", quoted.collect::<Vec<_>>().join(", "));
        let got = manifest(&text).rewritten(|path| format!("new/{path}")).unwrap();
        let again: Vec<_> = manifest(&got).includes().iter().map(|i| i.path().unwrap().to_owned()).collect();
        let want: Vec<_> = paths.iter().map(|path| format!("new/{path}")).collect();
        prop_assert_eq!(again, want);
        prop_assert!(got.starts_with("# x\nspack:\n  include: [") && got.ends_with("] # y\n  view: no\n"));
    }
}
