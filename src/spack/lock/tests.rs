//! Numbered cases are those of the generation reference, as far as they concern reading.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::*;

const V5: &str = include_str!("../testdata/mini-v5.lock");
const V6: &str = include_str!("../testdata/mini-v6.lock");

const APP: &str = "izhzo6lcaxnr66gaqeqglr24bg5agpmv";
const KIT: &str = "htqrn6q33wuc2zpzkhsjxx23rxyoml26";
const CORE: &str = "bzrkkjfhqxt53zkta3mujzs3q6pc6jxj";
const MID: &str = "ajrqahzgjt6vrwwsxkp7r5hc3jk23jki";
const SYS: &str = "xtua4vinfdpinrcvs3hdzn5vkhobmhse";
const NOWHERE: &str = "nowherenowherenowherenowherenowh";

/// How an edge is written in each lock version.
#[derive(Clone, Copy)]
enum Form {
    V4,
    V5,
    V6,
}

/// Hash, name, extra members and edges; an edge is name, hash and types.
type Package = (&'static str, &'static str, &'static str, Vec<(&'static str, &'static str, &'static str)>);

/// Writes the locks of these tests: packages with edges, in any of the three forms.
struct Writer {
    form: Form,
    roots: Vec<(&'static str, &'static str)>,
    nodes: Vec<Package>,
}

impl Writer {
    /// `tinyapp → midlib, genkit`; `midlib → corelib, sysbits`; `genkit → corelib`; sysbits is external.
    fn tinyapp(form: Form) -> Self {
        Self {
            form,
            roots: vec![(APP, "tinyapp"), (KIT, "genkit +docs")],
            nodes: vec![
                (APP, "tinyapp", "", vec![("genkit", KIT, r#""build""#), ("midlib", MID, r#""build","link""#)]),
                (KIT, "genkit", "", vec![("corelib", CORE, r#""build","link""#)]),
                (CORE, "corelib", "", vec![]),
                (MID, "midlib", "", vec![("corelib", CORE, r#""build","link""#), ("sysbits", SYS, r#""link""#)]),
                (SYS, "sysbits", r#""external":{"path":"/usr","module":null},"#, vec![]),
            ],
        }
    }

    fn json(&self) -> String {
        let version = match self.form {
            Form::V4 => 4,
            Form::V5 => 5,
            Form::V6 => 6,
        };
        let roots: Vec<_> =
            self.roots.iter().map(|(hash, spec)| format!(r#"{{"hash":"{hash}","spec":"{spec}"}}"#)).collect();
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|(hash, name, extra, edges)| {
                let edges: Vec<_> = edges
                    .iter()
                    .map(|(name, hash, types)| match self.form {
                        Form::V4 => format!(r#"{{"name":"{name}","hash":"{hash}","type":[{types}]}}"#),
                        Form::V5 => format!(
                            r#"{{"name":"{name}","hash":"{hash}","parameters":{{"deptypes":[{types}],"virtuals":[]}}}}"#
                        ),
                        Form::V6 => format!(
                            r#"{{"name":"{name}","hash":"{hash}","parameters":{{"deptypes":[{types}],"virtuals":[],"direct":true}}}}"#
                        ),
                    })
                    .collect();
                format!(
                    r#""{hash}":{{"name":"{name}","version":"1.0","arch":{{"platform":"linux","platform_os":"debian12","target":{{"name":"zen4","features":["avx512"]}}}},"namespace":"demo","parameters":{{"build_system":"generic","shared":true,"langs":["c","c++"],"cflags":[]}},{extra}"dependencies":[{}],"hash":"{hash}"}}"#,
                    edges.join(",")
                )
            })
            .collect();
        format!(
            r#"{{"_meta":{{"file-type":"spack-lockfile","lockfile-version":{version},"specfile-version":5}},"roots":[{}],"concrete_specs":{{{}}}}}"#,
            roots.join(","),
            nodes.join(",")
        )
    }

    fn lock(&self) -> Lock {
        Lock::parse(self.json().as_bytes()).unwrap()
    }
}

fn hash(text: &str) -> Hash {
    Hash::parse(text).unwrap()
}

/// Nodes and edges as sorted text.
fn picture(graph: &SpecGraph<'_>) -> Vec<String> {
    let mut lines: Vec<_> = graph.node_weights().map(ToString::to_string).collect();
    lines.extend(graph.edge_indices().map(|edge| {
        let (from, to) = graph.edge_endpoints(edge).unwrap();
        format!("{} → {} {}", graph[from].name, graph[to].name, graph[edge])
    }));
    lines.sort();
    lines
}

fn graph_error(writer: &Writer) -> LockError {
    writer.lock().graph().unwrap_err()
}

#[test]
fn case_09_an_edge_to_nowhere_names_both_ends() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes[3].3.push(("ghost", NOWHERE, r#""run""#));
    let message = graph_error(&writer).to_string();
    assert!(message.contains(&format!("midlib/ajrqahz → ghost/{NOWHERE}")), "{message}");
}

#[test]
fn case_10_a_root_to_nowhere_names_the_abstract_spec() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.roots.push((NOWHERE, "phantom@2: +mpi"));
    let message = graph_error(&writer).to_string();
    assert!(message.contains("phantom@2: +mpi") && message.contains(NOWHERE), "{message}");
    let lock = writer.lock();
    assert!(lock.graph_from(lock.roots_in(&["tinyapp"])).is_ok(), "a stale root does not matter");
}

#[test]
fn case_11_a_cycle_is_named() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes[2].3.push(("genkit", KIT, r#""run""#));
    match graph_error(&writer) {
        LockError::Cycle { path } => {
            assert_eq!(path.first(), path.last());
            let mut members = path[1..].to_vec();
            members.sort();
            assert_eq!(members, ["corelib/bzrkkjf", "genkit/htqrn6q"]);
        }
        other => panic!("{other}"),
    }
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes[2].3.push(("corelib", CORE, r#""test""#));
    assert_eq!(
        graph_error(&writer),
        LockError::Cycle { path: vec!["corelib/bzrkkjf".into(), "corelib/bzrkkjf".into()] }
    );
}

#[test]
fn case_12_other_versions_are_refused_by_name() {
    let json = Writer::tinyapp(Form::V6).json();
    for found in ["1", "2", "3", "7", "99", "\"6\"", "6.0", "null", "[6]", "-6"] {
        let other = json.replace("\"lockfile-version\":6", &format!("\"lockfile-version\":{found}"));
        let message = Lock::parse(other.as_bytes()).unwrap_err().to_string();
        // A null is as good as none.
        let expected = if found == "null" { "no lockfile-version" } else { &format!("lockfile-version {found},") };
        assert!(message.contains(expected) && message.contains("4, 5 and 6"), "{message}");
    }
    for without in ["{}", r#"{"_meta":{}}"#, r#"{"_meta":{"file-type":"spack-lockfile"},"roots":[]}"#] {
        let message = Lock::parse(without.as_bytes()).unwrap_err().to_string();
        assert!(message.contains("no lockfile-version") && message.contains("4, 5 and 6"), "{message}");
    }
    // A version 1 lock has another shape altogether, and is still refused for its version.
    let v1 = r#"{"_meta":{"file-type":"spack-lockfile","lockfile-version":1},"roots":[{"hash":"x","spec":"y"}],"concrete_specs":{"x":{"y":{"version":"1"}}}}"#;
    assert!(Lock::parse(v1.as_bytes()).unwrap_err().to_string().contains("lockfile-version 1,"));
}

#[test]
fn case_13_all_three_edge_forms_give_one_graph() {
    let [v4, v5, v6] = [Form::V4, Form::V5, Form::V6].map(|form| Writer::tinyapp(form).lock());
    assert_eq!((v4.version(), v5.version(), v6.version()), (4, 5, 6));
    let expected = picture(&v6.graph().unwrap());
    assert_eq!(expected.iter().filter(|line| line.contains('→')).count(), 5);
    assert!(expected.contains(&"tinyapp → midlib build,link".to_owned()));
    assert_eq!(picture(&v4.graph().unwrap()), expected);
    assert_eq!(picture(&v5.graph().unwrap()), expected);
}

#[test]
fn case_14_a_key_that_is_not_the_nodes_hash_is_refused() {
    let json = Writer::tinyapp(Form::V6).json().replacen(&format!("\"{CORE}\":{{"), &format!("\"{NOWHERE}\":{{"), 1);
    let message = Lock::parse(json.as_bytes()).unwrap_err().to_string();
    assert!(message.contains("corelib/nowhere") && message.contains(CORE), "{message}");
}

#[test]
fn case_15_roots_share_hashes_and_packages_have_several() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.roots.push((APP, "tinyapp@1:"));
    writer.roots.push((NOWHERE, "corelib@0.8"));
    writer.nodes.push((NOWHERE, "corelib", "", vec![]));
    let lock = writer.lock();
    let graph = lock.graph().unwrap();
    assert_eq!((lock.roots().len(), graph.node_count()), (4, 6));
    assert_eq!(graph.node_weights().filter(|spec| &*spec.name == "corelib").count(), 2);
}

#[test]
fn case_16_roots_that_nobody_wants_any_more_drop_out() {
    let lock = Writer::tinyapp(Form::V6).lock();
    let wanted = lock.roots_in(&["genkit+docs", "somethingelse"]);
    assert_eq!(wanted.iter().map(|root| root.hash).collect::<Vec<_>>(), [hash(KIT)]);
    assert_eq!(lock.graph_from(wanted).unwrap().node_count(), 2);
    assert!(lock.roots_in(&[""; 0]).is_empty());
}

#[test]
fn case_17_a_test_dependency_is_a_node_and_an_edge() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes.push((NOWHERE, "checker", "", vec![]));
    writer.nodes[2].3.push(("checker", NOWHERE, r#""test""#));
    let lines = picture(&writer.lock().graph().unwrap());
    assert!(lines.contains(&"corelib → checker test".to_owned()), "{lines:?}");
}

#[test]
fn case_18_what_a_splice_was_built_from_is_no_part_of_the_graph() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes.push((NOWHERE, "midlib", "", vec![]));
    writer.nodes[3].2 = r#""build_spec":{"name":"midlib","hash":"nowherenowherenowherenowherenowh"},"#;
    let lock = writer.lock();
    assert_eq!(lock.get(&hash(MID)).unwrap().build_spec, Some(hash(NOWHERE)));
    assert!(lock.get(&hash(NOWHERE)).is_some());
    assert_eq!(lock.graph().unwrap().node_count(), 5);
}

#[test]
fn everything_about_a_node_is_read() {
    let lock = Writer::tinyapp(Form::V6).lock();
    let order: Vec<_> = lock.specs().map(|spec| &*spec.name).collect();
    assert_eq!(order, ["tinyapp", "genkit", "corelib", "midlib", "sysbits"]);
    let spec = lock.get(&hash(SYS)).unwrap();
    assert!(spec.is_external() && !lock.get(&hash(APP)).unwrap().is_external());
    assert_eq!((spec.arch.to_string().as_str(), spec.namespace.as_deref()), ("linux-debian12-zen4", Some("demo")));
    assert_eq!(spec.parameter("shared"), Some(&Variant::Flag(true)));
    assert_eq!(spec.parameter("langs"), Some(&Variant::List(vec!["c".into(), "c++".into()])));
    assert_eq!(spec.parameters.first().map(|(name, _)| &**name), Some("build_system"));
}

#[test]
fn a_spec_that_contradicts_itself_is_refused_with_its_name() {
    for (extra, said) in [
        (r#""concrete":false,"#, "sysbits/xtua4vi that is not concrete"),
        (r#""dependencies":[{"name":"a","hash":"nowherenowherenowherenowherenowh"}],"#, "line 1, column"),
    ] {
        let mut writer = Writer::tinyapp(Form::V6);
        writer.nodes[4].2 = extra;
        let message = Lock::parse(writer.json().as_bytes()).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    let json = Writer::tinyapp(Form::V4).json();
    for (from, to, said) in [
        (r#","type":["build"]"#, "", "does not say for what it needs genkit"),
        (r#""type":["build"]"#, r#""type":["bulid"]"#, "unknown dependency type `bulid`"),
        (r#""version":"1.0","#, "", "tinyapp/izhzo6l that has no version"),
    ] {
        assert!(json.contains(from));
        let message = Lock::parse(json.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }
    let list = json.replace(r#""version":"1.0""#, r#""versions":["1.0","1.2"]"#);
    assert_eq!(&*Lock::parse(list.as_bytes()).unwrap().get(&hash(APP)).unwrap().version, "1.0,1.2");
}

#[test]
fn a_key_that_occurs_twice_is_refused_with_its_place() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes.push((CORE, "corelib", "", vec![]));
    match Lock::parse(writer.json().as_bytes()).unwrap_err() {
        LockError::Json { line: 1, column, what } => {
            assert!(column > 1_000 && what.contains(CORE) && what.contains("twice"), "{column} {what}");
        }
        other => panic!("{other}"),
    }
    let json = Writer::tinyapp(Form::V6).json().replacen(r#""shared":true"#, r#""shared":true,"shared":false"#, 1);
    assert!(Lock::parse(json.as_bytes()).is_err());
}

#[test]
fn edges_that_say_the_same_twice_become_one() {
    let mut writer = Writer::tinyapp(Form::V6);
    writer.nodes[1].3.push(("corelib", CORE, r#""run""#));
    let lines = picture(&writer.lock().graph().unwrap());
    assert!(lines.contains(&"genkit → corelib build,link,run".to_owned()), "{lines:?}");
}

#[test]
fn included_environments_lend_their_specs_but_not_their_roots() {
    let mut outer = Writer::tinyapp(Form::V6);
    let core = outer.nodes.remove(2);
    let inner = Writer { form: Form::V6, roots: vec![(CORE, "corelib")], nodes: vec![core] };
    let nest = |outer: &str, inner: &str| {
        let body = outer.strip_suffix('}').unwrap();
        format!(r#"{body},"include_concrete":{{"/srv/envs/base":{inner}}}}}"#)
    };
    let lock = Lock::parse(nest(&outer.json(), &inner.json()).as_bytes()).unwrap();
    assert_eq!((lock.roots().len(), lock.graph().unwrap().node_count()), (2, 5));
    let nested = |levels: usize| (0..levels).fold(inner.json(), |json, _| nest(&inner.json(), &json));
    assert!(Lock::parse(nested(MAX_INCLUDES).as_bytes()).is_ok());
    assert!(matches!(Lock::parse(nested(MAX_INCLUDES + 1).as_bytes()), Err(LockError::IncludesTooDeep { .. })));
    assert!(Lock::parse(nested(500).as_bytes()).is_err(), "deep nesting ends in an error, not in a full stack");
}

#[test]
fn an_empty_stack_is_a_lock_and_garbage_is_not() {
    let empty = Writer { form: Form::V6, roots: vec![], nodes: vec![] }.lock();
    assert_eq!((empty.specs().len(), empty.graph().unwrap().node_count()), (0, 0));
    for garbage in ["", "null", "[]", "\u{0}", "{\"_meta\":{\"lockfile-version\":6}}", "<html>502</html>"] {
        assert!(Lock::parse(garbage.as_bytes()).is_err(), "{garbage}");
    }
    assert!(Lock::parse(b"\xff\xfe{}").is_err());
}

#[test]
fn real_locks_of_two_spacks_read_whole() {
    let old = Lock::parse(V5.as_bytes()).unwrap();
    let new = Lock::parse(V6.as_bytes()).unwrap();
    assert_eq!((old.version(), old.specs().len(), old.roots().len()), (5, 23, 5));
    assert_eq!((new.version(), new.specs().len(), new.roots().len()), (6, 40, 8));
    // The compiler is an attribute in one and an edge in the other.
    for lock in [&old, &new] {
        let hdf5 = lock.specs().find(|spec| &*spec.name == "hdf5").unwrap();
        let gcc = Compiler { name: "gcc".into(), version: "12.2.0".into() };
        assert_eq!(hdf5.compiler, Some(gcc));
        assert!(hdf5.package_hash.is_some());
        let graph = lock.graph().unwrap();
        assert_eq!(graph.node_count(), lock.specs().len());
    }
    assert!(new.specs().any(|spec| spec.compiler.is_none()), "some specs compile nothing");
}

/// The texts below `specs:` of a manifest, read as simply as these fixtures allow.
fn manifest_specs(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default();
        match line.trim().strip_prefix("- ") {
            Some(item) => items.push(item.trim().trim_matches(['"', '\'']).to_owned()),
            None if line.starts_with("      ") => {
                if let Some(last) = items.last_mut() {
                    let _ = write!(last, " {}", line.trim());
                }
            }
            None => {}
        }
    }
    items
}

#[test]
fn every_fixture_lock_reads_and_every_root_is_found_in_its_manifest() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/spack/locks"));
    let Ok(stacks) = std::fs::read_dir(folder) else {
        eprintln!("SKIPPED: no fixture locks at {}", folder.display());
        return;
    };
    let mut read = 0;
    for stack in stacks {
        let stack = stack.unwrap().path();
        let bytes = std::fs::read(stack.join("spack.lock")).unwrap_or_else(|_| {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(stack.join("spack.lock.gz")).unwrap();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
            bytes
        });
        let lock = Lock::parse(&bytes).unwrap();
        let graph = lock.graph().unwrap();
        assert_eq!(graph.node_count(), lock.specs().len(), "{}", stack.display());
        let manifest = std::fs::read_to_string(stack.join("spack.yaml")).unwrap();
        let found = lock.roots_in(&manifest_specs(&manifest)).len();
        assert_eq!(found, lock.roots().len(), "{}", stack.display());
        read += 1;
    }
    assert!(read >= 6, "{read}");
}

/// A chain so long that anything recursive would overflow its stack.
#[test]
fn deep_graphs_need_no_stack() {
    let name = |mut i: usize| {
        let mut text = [b'a'; 32];
        for slot in &mut text {
            *slot = b'a' + (i % 26) as u8;
            i /= 26;
        }
        String::from_utf8(text.to_vec()).unwrap()
    };
    let deep = 50_000;
    let mut json = format!(
        r#"{{"_meta":{{"lockfile-version":6}},"roots":[{{"hash":"{}","spec":"chain"}}],"concrete_specs":{{"#,
        name(0)
    );
    for i in 0..deep {
        // The last one points back to the first.
        let (own, next) = (name(i), name((i + 1) % deep));
        let comma = if i == 0 { "" } else { "," };
        write!(
            json,
            r#"{comma}"{own}":{{"name":"link","version":"1","arch":{{"platform":"linux","platform_os":"sles15","target":"zen4"}},"dependencies":[{{"name":"link","hash":"{next}","type":["link"]}}],"hash":"{own}"}}"#
        )
        .unwrap();
    }
    json.push_str("}}");
    match Lock::parse(json.as_bytes()).unwrap().graph().unwrap_err() {
        LockError::Cycle { path } => assert_eq!(path.len(), deep + 1),
        other => panic!("{other}"),
    }
}

/// Every place in a lock where a hash stands.
fn hash_places(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    text.match_indices('"')
        .map(|(at, _)| at + 1)
        .filter(|&at| bytes.get(at + 32) == Some(&b'"') && Hash::parse(&text[at..at + 32]).is_ok())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_bytes_never_panic(cuts in prop::collection::vec((0..V5.len(), any::<u8>(), 0..3_u8), 1..12)) {
        let mut bytes = V5.as_bytes().to_vec();
        for (at, byte, how) in cuts {
            match how {
                0 => {
 let len = bytes.len();
 bytes[at % len] = byte;
}
                1 => bytes.insert(at.min(bytes.len()), byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Ok(lock) = Lock::parse(&bytes) {
            let _ = lock.graph();
        }
    }

    /// Swapped hashes keep the JSON well-formed, so that the reading behind it is what gets tested.
    #[test]
    fn swapped_hashes_give_a_graph_or_a_named_error(swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)) {
        let places = hash_places(V6);
        let mut text = V6.to_owned();
        for (to, from) in swaps {
            let (to, from) = (places[to.index(places.len())], places[from.index(places.len())]);
            let hash = text[from..from + 32].to_owned();
            text.replace_range(to..to + 32, &hash);
        }
        match Lock::parse(text.as_bytes()).and_then(|lock| lock.graph().map(|graph| graph.node_count())) {
            Ok(nodes) => prop_assert!(nodes <= 40),
            Err(error) => prop_assert!(error.to_string().starts_with("spack.lock has") || error.to_string().contains("line 1"), "{error}"),
        }
    }
}
