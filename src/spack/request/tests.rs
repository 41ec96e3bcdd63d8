//! Requests against real locks, and against texts that nobody should write.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use proptest::prelude::*;

use super::super::yaml::Value;
use super::super::{Hash, Lock, Request, Spec};
use super::canonical;

const V5: &str = include_str!("../testdata/mini-v5.lock");
const V6: &str = include_str!("../testdata/mini-v6.lock");

/// What real locks do not have: patches, flags, git versions, two providers, a test dependency, an old edge without
/// virtual packages.
const ODD: &str = r#"{"_meta":{"lockfile-version":VERSION},"roots":[],"concrete_specs":{
 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":{"name":"app","version":"git.main=2.1","arch":{"platform":"darwin","platform_os":"sonoma","target":"m1"},
  "namespace":"demo.lab","parameters":{"langs":["c","c++"],"fast":"True","mpi":true,"mode":"x","patches":["4991da9aaaa","93a7903bbbb"],
  "dev_path":"/src/app","cflags":["-O2","-I dir"],"cxxflags":[]},"dependencies":[
  {"name":"lib","hash":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","parameters":{"deptypes":["link"],"virtuals":[]}},
  {"name":"lib","hash":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","parameters":{"deptypes":["run"],"virtuals":["blas"]}},
  {"name":"checker","hash":"cccccccccccccccccccccccccccccccc","parameters":{"deptypes":["test"],"virtuals":[]}}],
  "hash":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb":{"name":"lib","version":"1.0","arch":{"platform":"darwin","platform_os":"sonoma","target":"m1"},
  "parameters":{"mpi":false},"compiler":{"name":"clang","version":"15.0.7"},"dependencies":[
  {"name":"tool","hash":"dddddddddddddddddddddddddddddddd","parameters":{"deptypes":["build"],"virtuals":[]}}],
  "hash":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
 "cccccccccccccccccccccccccccccccc":{"name":"checker","version":"0123456789abcdef0123456789abcdef01234567=3","arch":
  {"platform":"darwin","platform_os":"sonoma","target":"m1"},"hash":"cccccccccccccccccccccccccccccccc"},
 "dddddddddddddddddddddddddddddddd":{"name":"tool","version":"develop","arch":{"platform":"darwin","platform_os":"sonoma","target":"m1"},
  "hash":"dddddddddddddddddddddddddddddddd"}}}"#;

fn lock(text: &str) -> Lock {
    Lock::parse(text.as_bytes()).unwrap()
}

fn odd() -> Lock {
    lock(&ODD.replace("VERSION", "6"))
}

fn spec<'a>(lock: &'a Lock, name: &str) -> &'a Spec {
    lock.specs().find(|spec| &*spec.name == name).unwrap()
}

fn request(text: &str) -> Request {
    Request::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Each line is the name of a spec, requests that it satisfies, and after `BUT` requests that it does not; `|` stands
/// between requests.
fn judge(lock: &Lock, table: &[(&str, &str, &str)]) {
    for (name, fits, not) in table {
        for text in fits.split('|') {
            assert!(request(text).matches(spec(lock, name), lock), "{name} satisfies {text}");
        }
        for text in not.split('|') {
            assert!(!request(text).matches(spec(lock, name), lock), "{name} does not satisfy {text}");
        }
    }
}

#[test]
fn a_request_fits_the_specs_that_spack_says() {
    judge(
        &lock(V6),
        &[
            (
                "hdf5",
                "hdf5|builtin.hdf5|@:|*|hdf5@1.14|@1.14.6|@=1.14.6|@1.12:1.14|@:1.14,9|@ 1.14 , 2:|\
                 hdf5@1.14:api=default",
                "hdf|other.hdf5|@1.12|@=1.14|@1.15:|netcdf@:|@develop",
            ),
            (
                "hdf5",
                "hdf5+fortran~mpi|hdf5 -mpi|+ fortran|~ mpi|fortran=True|mpi=false|hdf5 api=*|mpi=*|api=default|\
                 api:=default|api='default'",
                "+mpi|~fortran|hdf5 -fortran|+absent|~absent|absent=*|api=v18|api=default,v18|mpi=no",
            ),
            (
                "curl",
                "libs=shared|libs=static,shared|libs:=static,shared|tls=openssl libs=*",
                "libs:=shared|libs=shared,dynamic|libs:=static,shared,x|+libs",
            ),
            (
                "hdf5",
                "target=x86_64_v3|target=zen4,x86_64_v3|target=:|os=debian12|platform=linux|\
                 arch=linux-debian12-x86_64_v3|arch=None-None-x86_64_v3|arch=x86_64_v3|operating_system=debian12 namespace=builtin",
                "target=x86_64|os=ubuntu|platform=darwin|arch=linux-debian12-zen4|namespace=x",
            ),
            ("hdf5", "/wb6xrr4|hdf5/wb6xrr4wgnago4cpiryd3s3zdd3jjmyd|hdf5@1/w", "/wb6xrr5|zlib/wb6xrr4"),
            (
                "hdf5",
                "%gcc|hdf5%gcc@12|%gcc@11:13|%c=gcc|%c,fortran=gcc@12|%[virtuals=c] gcc|%fortran|\
                 %[deptypes=build] gcc|%@12.2.0|%gcc%cmake|%%gcc|%zlib-ng|%zlib-api",
                "%clang|%gcc@13|%cxx=gcc|%[virtuals=cxx] gcc|%[deptypes=link] gcc|%curl|%gcc+bootstrap~graphite@13",
            ),
            (
                "hdf5",
                "^zlib-ng|^zlib-api|^[virtuals=zlib-api] zlib-ng+compat|^zlib-api=zlib-ng|^[deptypes=link] zlib-ng|\
                 ^[deptypes=build,link] zlib-ng@2:|^cmake %gcc|^gcc|hdf5 ^zlib-ng%gcc@12 ^cmake+ncurses",
                "^zlib|^[virtuals=mpi] zlib-ng|^[deptypes=run] zlib-ng|^curl|^openssl|^cmake %clang|^zlib-ng@1|^mpi|\
                 ^zlib-api+shared",
            ),
            ("curl", "^gcc-runtime|^[deptypes=link] glibc|^libc", "^hdf5|^perl"),
            ("cmake", "cmake^openssl|^glibc|^zlib-api", "^perl|^pkgconf"),
            ("py-setuptools", "py-setuptools|^python|^libc|^py-pip", "%gcc|^gcc|%c"),
            ("hdf5", "++shared|hdf5 ~~mpi|shared==True", "~~shared|--shared"),
        ],
    );
}

#[test]
fn a_lock_without_compiler_edges_answers_for_its_compilers() {
    judge(
        &lock(V5),
        &[
            (
                "hdf5",
                "%gcc|%gcc@12.2|^gcc|%c=gcc|%[virtuals=c,fortran] gcc@12|%@12|%c",
                "%clang|%gcc@13|%gcc+strip|%mpi=gcc|%[deptypes=link] gcc|%c@12",
            ),
            ("hdf5", "^zlib-ng|^cmake|^libc", "^openssl|^curl"),
        ],
    );
    judge(
        &odd(),
        &[
            ("lib", "%clang|%llvm@15|lib%clang@15.0.7", "%gcc|%clang@16"),
            ("app", "^lib%clang|^lib %llvm@15", "%clang|^lib%gcc"),
        ],
    );
}

#[test]
fn rare_attributes_are_judged_too() {
    judge(
        &odd(),
        &[
            (
                "app",
                "demo.lab.app|+fast|fast=true|langs=c|langs='c++, c'|dev_path=/src/app|patches=4991|\
                 patches=93a7903,4991da9|++fast",
                "demo.app|~fast|fast=True~mpi|dev_path=/src|patches=5|patches:=4991da9",
            ),
            (
                "app",
                "cflags=-O2|cflags='-O2 -I dir'|cflags==\"-I dir\"|cxxflags=''",
                "cflags=-O3|cflags=-I|cxxflags=-O2|ldflags=-s",
            ),
            ("app", "@git.main|@git.main=2.1|@2:|@:2.1,9|@=git.main", "@git.dev|@git.main=2.0|@=2.1|@main|@3:"),
            (
                "checker",
                "@0123456789abcdef0123456789abcdef01234567|@0123456789abcdef0123456789abcdef01234567=3|@3",
                "@git.0123456|@=3",
            ),
            (
                "app",
                "^blas|%[virtuals=blas deptypes=link,run] lib|^checker|%[deptypes=test] checker",
                "%[deptypes=build] lib|^tool|^[virtuals=lapack] lib",
            ),
            ("app", "++fast", "++mpi|~~mpi"),
            ("lib", "~~mpi|lib %tool@develop|^tool@develop:", "%tool@1:9"),
            ("tool", "@develop|@main:|@1:", "@:main|@=main|namespace=demo"),
        ],
    );
}

#[test]
fn case_35_what_is_outside_of_the_grammar_is_named_with_its_place() {
    for (text, column, said) in [
        ("", 1, "asks for nothing"),
        ("  ", 1, "asks for nothing"),
        ("hdf5 $mpi", 6, "`$` names a list"),
        ("hdf5 ^", 6, "no dependency"),
        ("hdf5 ^%gcc", 6, "no dependency"),
        ("hdf5 +", 6, "names no variant"),
        ("hdf5 netcdf", 6, "second spec"),
        ("hdf5+mpi+mpi", 9, "`mpi` is given twice"),
        ("hdf5 mpi=", 6, "`mpi=` has no value"),
        ("hdf5 api='v1", 10, "quote is not closed"),
        ("hdf5 api=v1%gcc", 12, "write a blank"),
        ("hdf5 x=a,*", 8, "`*` stands for any value"),
        ("hdf5@", 6, "a version belongs here"),
        ("hdf5@=", 6, "`@=` names no version"),
        ("hdf5@1.5:1.2", 6, "no version lies in this range"),
        ("hdf5@1@2", 7, "a second `@`"),
        ("hdf5@: @2", 8, "a second `@`"),
        ("hdf5@1.2.", 6, "must begin and end"),
        ("hdf5@=1:2", 6, "no exact end"),
        ("hdf5@1,git.main", 8, "git reference"),
        ("hdf5 target=x86_64:", 13, "ranges of targets"),
        ("hdf5 target=fe", 13, "machine to machine"),
        ("hdf5 arch=a-b", 11, "platform-os-target"),
        ("hdf5 os=a os=b", 11, "`os` is given twice"),
        ("hdf5 +target", 6, "is no switch"),
        ("hdf5 target==x", 6, "is no variant"),
        ("hdf5 when=+mpi", 6, "conditions cannot be judged"),
        ("hdf5 %[when=+mpi] gcc", 8, "conditions on dependencies"),
        ("hdf5 %[virtuals=c gcc", 6, "not closed"),
        ("hdf5 %[size=2] gcc", 8, "unknown property"),
        ("hdf5 ^[deptypes=all] zlib", 8, "build, link, run and test"),
        ("hdf5 %c=*", 7, "no provider"),
        ("hdf5 /xyz1", 6, "no DAG hash"),
        ("hdf5/ab/cd", 8, "second hash"),
        ("./hdf5.json", 1, "files of specs"),
        ("hdf5..x", 1, "no package name"),
        ("hdf5 {{x}}", 6, "`{` is no part of a spec"),
        ("hdf5\0+x", 5, "`\\0` is no part of a spec"),
        ("hdf5 ünïcode", 6, "`ü` is no part of a spec"),
        ("höhe \"x", 2, "`ö` is no part"),
    ] {
        let error = Request::parse(text).map(|request| request.to_string()).unwrap_err();
        assert_eq!(error.column(), column, "{error}");
        let message = format!("element 3 of ci.yaml: {error}");
        assert!(message.contains(said) && !message.chars().any(char::is_control), "{message}");
    }
    assert_eq!(
        Request::parse("hdf5 target=x86_64:").unwrap_err().to_string(),
        "the spec `hdf5 target=x86_64:`, column 13: ranges of targets cannot be judged; write the targets themselves: `target=a,b`"
    );
}

#[test]
fn what_the_lock_does_not_say_is_told() {
    let (new, old) = (odd(), lock(&ODD.replace("VERSION", "4")));
    for (lock, text, said) in [
        (&new, "blas", "does not say who provides it"),
        (&new, "app ^blas@3", "in which versions"),
        (&new, "app ^lib %blas@3", "in which versions"),
        (&old, "app ^mpi", "a lock of version 4"),
    ] {
        let error = request(text).undecided_by(lock).unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
    for text in ["app", "elsewhere", "app ^blas", "app ^elsewhere", "app ^lib@3"] {
        assert_eq!(request(text).undecided_by(&new), None, "{text}");
    }
}

#[test]
fn huge_and_hostile_texts_end_at_once() {
    let app = odd();
    for text in [
        "x".repeat(100_000),
        "^".repeat(10_000),
        "a^".repeat(10_000),
        "%[".repeat(10_000),
        "@1:,".repeat(4_000),
        "+".repeat(16_000),
        "'".repeat(16_000),
        "a=\\\"".repeat(4_000),
        "[".repeat(16_000),
        "\0".repeat(9_000),
        "é^ü".repeat(3_000),
        format!("a@{}", "9".repeat(16_000)),
        format!("a@{}", "1.".repeat(8_000)),
    ] {
        if let Ok(request) = Request::parse(&text) {
            app.specs().for_each(|spec| {
                let _ = request.matches(spec, &app);
            });
        }
        let _ = canonical(&text);
    }
    let many = request(&format!("app {}", "^lib ".repeat(3_000)));
    assert!(many.matches(spec(&app, "app"), &app));
}

const REAL: [&str; 12] = [
    "hdf5@1.12:1.14,=2.0+fortran~mpi api=default %gcc@12 ^[virtuals=zlib-api] zlib-ng@2:",
    "trilinos +ml -epetra ++shared gotype=long_long cflags='-O2 -g' target=x86_64_v3",
    "julia ^llvm ~clang targets:=amdgpu,nvptx ^cmake %c,cxx=gcc",
    "curl libs=shared,static arch=linux-debian12-x86_64_v3 /x5h4jmv",
    "builtin.zstd@git.main=1.5 os=debian12 platform=linux",
    "gromacs+cp2k ^cp2k+dlaf build_system=cmake",
    "@:",
    "*",
    "%[virtuals=c deptypes=build] gcc",
    "swig@4.0.2-fortran",
    "a@0123456789abcdef0123456789abcdef01234567=2 namespace=builtin dev_path=/x",
    "py-x@develop patches=4991da9 b='it\\'s'",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}|[ -~]{0,80}|[-@:=+~%^\\[\\],./'\"\\\\a1 \\x00é]{0,60}") {
        never_panics(&text);
    }

    #[test]
    fn no_mutation_of_a_real_request_panics(
        real in 0..REAL.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, "[-@:=+~%^\\[\\],./'\"\\\\*a1 \\x00é]"), 1..6),
    ) {
        let mut chars: Vec<char> = REAL[real].chars().collect();
        for (at, kind, with) in edits {
            let at = at.index(chars.len() + 1);
            if kind < 2 && at < chars.len() {
                chars.remove(at);
            }
            if kind > 0 {
                chars.splice(at.min(chars.len())..at.min(chars.len()), with.chars());
            }
        }
        never_panics(&chars.into_iter().collect::<String>());
    }
}

fn never_panics(text: &str) {
    static LOCK: std::sync::OnceLock<Lock> = std::sync::OnceLock::new();
    let lock = LOCK.get_or_init(|| lock(V6));
    let canon = canonical(text);
    match Request::parse(text) {
        Ok(request) => {
            assert_eq!(canon, canonical(&request.to_string()));
            lock.specs().for_each(|spec| {
                let _ = request.matches(spec, lock);
            });
        }
        Err(error) => assert!(error.column() <= text.chars().count() + 1 && error.to_string().len() < 2_000),
    }
}

#[test]
fn real_requests_read() {
    for text in REAL {
        request(text);
    }
    assert_eq!((request("a.b.c@2").package(), request("@2").package()), (Some("c"), None));
}

/// Real data beside the project, if it is there.
fn fixtures(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/spack")).join(folder);
    if !path.is_dir() {
        eprintln!("SKIPPED: no fixtures at {}", path.display());
    }
    path.is_dir().then_some(path)
}

#[test]
fn every_root_of_every_fixture_lock_satisfies_its_own_request() {
    let Some(folder) = fixtures("locks") else { return };
    let mut roots = 0;
    for stack in fs::read_dir(folder).unwrap() {
        let stack = stack.unwrap().path();
        let bytes = fs::read(stack.join("spack.lock")).unwrap_or_else(|_| {
            let mut bytes = Vec::new();
            let file = fs::File::open(stack.join("spack.lock.gz")).unwrap();
            flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
            bytes
        });
        let lock = Lock::parse(&bytes).unwrap();
        for root in lock.roots() {
            let asked = request(&root.spec);
            assert!(asked.matches(lock.get(&root.hash).unwrap(), &lock), "{}", root.spec);
            assert_eq!(asked.undecided_by(&lock), None);
            // Other packages do not satisfy it.
            for spec in lock.specs() {
                assert!(asked.package() == Some(&*spec.name) || !asked.matches(spec, &lock), "{} / {spec}", root.spec);
            }
            roots += 1;
        }
        for spec in lock.specs() {
            let own = format!("{}@={} arch={} /{}", spec.name, spec.version, spec.arch, spec.hash.short());
            assert!(request(&own).matches(spec, &lock), "{own}");
        }
    }
    assert!(roots >= 241, "{roots}");
}

#[test]
fn every_match_of_every_fixture_configuration_reads() {
    let Some(folder) = fixtures("generate") else { return };
    let mut read = 0;
    for stack in fs::read_dir(folder).unwrap() {
        for case in fs::read_dir(stack.unwrap().path()).unwrap() {
            let ci = Value::parse(&fs::read(case.unwrap().path().join("input/ci.merged.yaml")).unwrap()).unwrap();
            let sections = ci.get("ci").unwrap_or(&ci).get("pipeline-gen").and_then(Value::as_list).unwrap();
            for entry in sections.iter().filter_map(|section| section.get("submapping")?.as_list()).flatten() {
                for text in entry.get("match").and_then(Value::as_list).unwrap() {
                    request(text.as_text().unwrap());
                    read += 1;
                }
            }
        }
    }
    assert!(read >= 900, "{read}");
}

#[test]
fn a_whole_hash_names_one_spec() {
    let lock = odd();
    let hash = Hash::parse("dddddddddddddddddddddddddddddddd").unwrap();
    let found: Vec<_> = lock.specs().filter(|spec| request(&format!("/{hash}")).matches(spec, &lock)).collect();
    assert_eq!(found, [lock.get(&hash).unwrap()]);
}
