use std::fmt::Write as _;

use super::*;
use crate::spack::yaml::Value;

#[tokio::test]
async fn what_a_file_says_counts_more_than_what_it_includes() {
    let scratch = Scratch::stack("spack: {include: [../one, ../two.yaml], config: {a: manifest}, specs: [tinyapp]}");
    scratch.write("one/include.yaml", "include: [deep.yaml]");
    scratch.write("one/config.yaml", "config: {a: x, b: one}");
    scratch.write("one/deep.yaml", "config: {b: x, c: deep}");
    scratch.write("one/readme.yaml", "{broken");
    scratch.write("two.yaml", "config: {c: x, d: two}\ndefinitions: [{tools: [genkit +docs]}]");
    scratch.write("three/config.yaml", "config: {d: x, e: three}");
    scratch.write("four.yaml", "config: {e: x, f: four}");
    let scopes = vec![scratch.0.join("three"), scratch.0.join("four.yaml")];
    let wanted = Wanted { scopes, ..scratch.wanted() };
    let environment = read(&wanted, &client()).await.unwrap();
    let want = "{a: manifest, b: one, c: deep, d: two, e: three, f: four}";
    assert_eq!(environment.layers.section("config"), Value::parse(want.as_bytes()).unwrap());
    let names = [
        "env/spack.yaml",
        "one/config.yaml",
        "one/include.yaml",
        "one/deep.yaml",
        "two.yaml",
        "three/config.yaml",
        "four.yaml",
    ];
    assert_eq!(scratch.names(&environment), names);
    let alone = read(&Wanted { includes: false, ..wanted }, &client()).await.unwrap();
    assert_eq!(scratch.names(&alone), ["env/spack.yaml", "three/config.yaml", "four.yaml"]);
}

#[tokio::test]
async fn definitions_of_includes_count() {
    let scratch = Scratch::stack("spack: {include: [../lists.yaml], specs: [tinyapp, $tools]}");
    scratch.write("lists.yaml", "definitions: [{tools: [genkit +docs]}, {tools: [none], when: platform == 'darwin'}]");
    assert_eq!(scratch.read().await.unwrap().specs, ["tinyapp", "genkit +docs"]);
}

#[tokio::test]
async fn conditions_variables_and_optional_includes() {
    let manifest = "
spack:
  include:
  - path: ../$os
  - path: ../darwin
    when: platform == 'darwin'
  - path: $env/../home
  - path: ../absent
    optional: true
  - path: ../x.yaml/absent
    optional: true
  - path: ../absent
    path_override_env_var: OTHER
  - git: https://example.org/configs
    branch: main
    paths: [a]
    optional: true
  - $UNKNOWN/x
";
    let scratch = Scratch::stack(&manifest.replace("  - $UNKNOWN/x\n", ""));
    for name in ["debian12/config.yaml", "home/config.yaml", "other/config.yaml"] {
        scratch.write(name, "config: {}");
    }
    scratch.write("x.yaml", "");
    let facts = facts(&[("OTHER", "../other")]);
    let environment = read(&Wanted { facts, ..scratch.wanted() }, &client()).await.unwrap();
    let want = ["env/spack.yaml", "debian12/config.yaml", "home/config.yaml", "other/config.yaml"];
    assert_eq!(scratch.names(&environment), want);
    let skipped: Vec<_> = environment.skipped.iter().map(|s| (s.include.as_str(), s.why)).collect();
    let want = [
        ("../absent", "it does not exist"),
        ("../x.yaml/absent", "it does not exist"),
        ("https://example.org/configs", "git repositories are not supported"),
    ];
    assert_eq!(skipped, want);
    assert!(scratch.fault().await.ends_with(
        "env/spack.yaml → absent: it does not exist; correct the path, or mark the include with `optional: true`"
    ));
}

#[tokio::test]
async fn every_fault_names_its_place_and_its_way() {
    let include = "spack: {include: [../a]}";
    for (manifest, file, text, want) in [
        (include, "b", "", "env/spack.yaml → a: it does not exist"),
        (
            include,
            "a/include.yaml",
            "include: [b.yaml]",
            "env/spack.yaml → a/include.yaml → a/b.yaml: it does not exist",
        ),
        (include, "a/include.yaml", "include: [.]", "env/spack.yaml → a/include.yaml → a: it is included by itself"),
        (include, "a/include.yaml", "include: [../env/../a]", "it is included by itself"),
        (include, "a/include.yaml", "include: [../env/spack.yaml]", "it is included by itself"),
        (include, "a", "include: [a]", "env/spack.yaml → a → a: it is included by itself"),
        (include, "a", "spack: {}", "env/spack.yaml → a: it is a manifest"),
        (include, "a", "- x", "env/spack.yaml → a: it holds a list"),
        (include, "a", "ci: {a: 1, a: 2}", "env/spack.yaml → a: the YAML is damaged"),
        (include, "a", "ci: [", "env/spack.yaml → a: the YAML is damaged"),
        (include, "a", "include: x", "env/spack.yaml → a: `include` is a text but must be a list"),
        (include, "a/ci.yaml", "cdash: {}", "env/spack.yaml → a/ci.yaml: it holds the section `cdash`"),
        (include, "a/ci.yaml", "ci: [", "env/spack.yaml → a/ci.yaml: the YAML is damaged"),
        (include, "a/ci.yaml/x", "", "env/spack.yaml → a/ci.yaml: it is a folder, but a file is expected"),
        (
            "spack: {include: [{path: a, when: nonsense}]}",
            "b",
            "",
            "env/spack.yaml: the condition `nonsense` has no answer",
        ),
        ("spack: {include: [{git: 'https://x.org/y', paths: [a]}]}", "b", "", "`https://x.org/y` is a git repository"),
        ("spack: {include: [$NONE/a]}", "b", "", "`$NONE/a` uses `$NONE`"),
        ("spack: {include: ['s3://x/y']}", "b", "", "`s3://x/y` cannot be included (this kind of URL"),
        ("spack: {include: ['https://x.org/y']}", "b", "", "a remote file needs a checksum"),
        ("spack: {include: [{path: 'https://x.org/y', sha256: abc}]}", "b", "", "is no SHA-256"),
        ("", "b", "", "env/spack.yaml: the top-level key `spack` is missing (the file is empty)"),
        ("spack: {a: 1, a: 2}", "b", "", "env/spack.yaml: the YAML is damaged"),
    ] {
        let scratch = Scratch::stack(manifest);
        scratch.write(file, text);
        let error = scratch.fault().await;
        assert!(error.contains(want), "{manifest} + {file}: {text}\n{error}");
    }
}

#[tokio::test]
async fn folders_that_are_no_stack_say_so() {
    let scratch = Scratch::new();
    assert!(scratch.fault().await.contains("env: there is no spack.yaml in this folder"));
    scratch.write("env/spack.yaml/x", "");
    assert!(scratch.fault().await.contains("env/spack.yaml: it is a folder, but a file is expected"));
    let scratch = Scratch::stack("spack: {}");
    let wanted = Wanted { scopes: vec![scratch.0.join("none.yaml")], ..scratch.wanted() };
    let error = scratch.told(read(&wanted, &client()).await.unwrap_err());
    assert_eq!(error, "none.yaml: it does not exist; correct the path of this configuration scope");
}

#[tokio::test]
async fn circles_chains_and_fans_end() {
    let scratch = Scratch::stack("spack: {include: [../f0]}");
    for n in 0..40 {
        scratch.write(&format!("f{n}"), format!("include: [f{}]", n + 1));
    }
    let error = scratch.fault().await;
    assert!(error.contains("f30 → ") && error.contains("includes are more than 32 deep"), "{error}");
    scratch.write("f40", "");
    for n in 0..20 {
        scratch.write(&format!("f{n}"), format!("include: [f{0}, f{0}]", n + 1));
    }
    scratch.write("f20", "");
    assert!(scratch.fault().await.contains("more than 1000 files are included"));
    scratch.write("f2", "include: [f0]");
    assert!(scratch.fault().await.contains("env/spack.yaml → f0 → f1 → f2 → f0: it is included by itself"));
}

#[tokio::test]
async fn bombs_and_giants_are_refused() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for n in 1..9 {
        writeln!(bomb, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(",")).unwrap();
    }
    let scratch = Scratch::stack("spack: {include: [../a]}");
    scratch.write("a", bomb);
    assert!(scratch.fault().await.contains("a: the YAML is damaged"));
    scratch.write("a", "#".repeat(10 * file::MEGABYTE + 1));
    assert!(scratch.fault().await.contains("a: it has more than 10 MB"));
    scratch.write("env/spack.yaml", "#".repeat(10 * file::MEGABYTE + 1));
    assert!(scratch.fault().await.contains("env/spack.yaml: it has more than 10 MB"));
}

#[tokio::test]
async fn a_copy_of_the_manifest_reaches_the_same_files() {
    let manifest = "# keep\nspack:\n  include:\n  - ../configs/  # why\n  - ../$os\n  - $env/../configs\n  - path: $NONE/x\n    \
                    when: platform == 'darwin'\n  - {path: ../$NONE/x, when: platform == 'darwin'}\n";
    let scratch = Scratch::stack(manifest);
    scratch.write("configs/config.yaml", "");
    scratch.write("debian12/config.yaml", "");
    let environment = scratch.read().await.unwrap();
    let want = "# keep\nspack:\n  include:\n  - ../../../configs  # why\n  - ../../../debian12\n  - $env/../configs\n  - path: $NONE/x\n    \
                when: platform == 'darwin'\n  - {path: ../../../$NONE/x, when: platform == 'darwin'}\n";
    assert_eq!(environment.manifest_in(&scratch.0.join("jobs/x/concrete")).unwrap(), want);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_not_utf8_work_where_they_need_not_be_written() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = Scratch::new();
    let odd = scratch.0.join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    for (name, text) in [
        ("env/spack.yaml", "spack: {include: [../a, $env/b.yaml]}"),
        ("a/ci.yaml", "ci: {}"),
        ("env/b.yaml", "cdash: {}"),
    ] {
        fs::create_dir_all(odd.join(name).parent().unwrap()).unwrap();
        fs::write(odd.join(name), text).unwrap();
    }
    fs::write(odd.join("env/spack.lock"), LOCK).unwrap();
    let wanted = Wanted { dir: odd.join("env"), ..scratch.wanted() };
    let environment = read(&wanted, &client()).await.unwrap();
    assert_eq!(environment.layers.0.len(), 3);
    assert!(environment.manifest_in(&odd.join("jobs/x")).unwrap().contains("../../a"));
    let error = environment.manifest_in(&scratch.0.join("jobs")).unwrap_err().to_string();
    assert!(error.contains("not UTF-8"), "{error}");
}
