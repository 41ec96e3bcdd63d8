use super::*;
use crate::spack::yaml::Value;

/// The folder of fixtures, where there is one.
fn root() -> Option<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = project.ancestors().map(|folder| folder.join("shared/fixtures/spack")).find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no fixtures beside the project");
    }
    found
}

/// A checkout of the package repository with one stack in it, as the case was generated.
fn checkout(root: &Path, stack: &str, case: &Path) -> Scratch {
    let scratch = Scratch::new();
    copy(&root.join("ci-config"), &scratch.0.join(".ci/gitlab"));
    copy(&case.join("input/spack.yaml"), &scratch.0.join("gen").join(stack).join("spack.yaml"));
    copy(&root.join("locks").join(stack).join("spack.lock"), &scratch.0.join("gen").join(stack).join("spack.lock"));
    scratch
}

fn merged(case: &Path, section: &str) -> Value {
    let bytes = fs::read(case.join(format!("input/{section}.merged.yaml"))).unwrap();
    Value::parse(&bytes).unwrap().get(section).cloned().unwrap()
}

#[tokio::test]
async fn layers_merge_to_what_spack_merged() {
    let Some(root) = root() else { return };
    let mut seen = 0;
    for stack in ["build_systems", "radiuss"] {
        for case in fs::read_dir(root.join("generate").join(stack)).unwrap() {
            let case = case.unwrap().path();
            let scratch = checkout(&root, stack, &case);
            let wanted = Wanted {
                dir: scratch.0.join("gen").join(stack),
                includes: true,
                facts: facts(&[("SPACK_CI_TARGET", "x86_64_v3")]),
                ..Wanted::default()
            };
            let environment = read(&wanted, &client()).await.unwrap();
            for section in ["ci", "cdash", "mirrors"] {
                assert_eq!(environment.layers.section(section), merged(&case, section), "{} {section}", case.display());
            }
            assert_eq!(environment.lock_age, LockAge::Fresh);
            assert_eq!(environment.skipped, []);
            let folder = scratch.0.join("jobs_scratch_dir").join(stack).join("concrete_environment");
            let copy = Value::parse(environment.manifest_in(&folder).unwrap().as_bytes());
            let want = fs::read(case.join("expected/concrete_environment.spack.yaml")).unwrap();
            assert_eq!(copy, Value::parse(&want), "{}", case.display());
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
}

#[tokio::test]
async fn merged_files_take_the_place_of_includes() {
    let Some(root) = root() else { return };
    let case = root.join("generate/build_systems/pr-zlib-ng");
    let scratch = Scratch::new();
    copy(&case.join("input/spack.yaml"), &scratch.0.join("env/spack.yaml"));
    copy(&root.join("locks/build_systems/spack.lock"), &scratch.0.join("env/spack.lock"));
    let scopes = ["ci", "cdash", "mirrors"].map(|section| case.join(format!("input/{section}.merged.yaml")));
    let wanted = Wanted { includes: false, scopes: scopes.to_vec(), ..scratch.wanted() };
    let environment = read(&wanted, &client()).await.unwrap();
    for section in ["ci", "cdash", "mirrors"] {
        assert_eq!(environment.layers.section(section), merged(&case, section), "{section}");
    }
}

#[tokio::test]
async fn layers_stand_in_the_order_of_their_precedence() {
    let Some(root) = root() else { return };
    let case = root.join("generate/build_systems/pr-zlib-ng");
    let scratch = checkout(&root, "build_systems", &case);
    let facts = facts(&[("SPACK_CI_TARGET", "x86_64_v3")]);
    let wanted = Wanted { dir: scratch.0.join("gen/build_systems"), includes: true, facts, ..Wanted::default() };
    let environment = read(&wanted, &client()).await.unwrap();
    let want = [
        "gen/build_systems/spack.yaml",
        ".ci/gitlab/include.yaml",
        ".ci/gitlab/configs/linux/x86_64_v3/ci.yaml",
        ".ci/gitlab/configs/linux/x86_64_v3/concretizer.yaml",
        ".ci/gitlab/configs/linux/ci.yaml",
        ".ci/gitlab/configs/cdash.yaml",
        ".ci/gitlab/configs/ci.yaml",
        ".ci/gitlab/configs/concretizer.yaml",
        ".ci/gitlab/configs/config.yaml",
    ];
    assert_eq!(scratch.names(&environment), want);
}
