//! The reviewed file.

use super::made::{Cache, INDEXED, LISTED, at, hash, path, pins, plan};
use crate::cache::plan::{PlanFileError, PlanId, PrunePlan};
use crate::spack::buildcache::Checksum;

fn written(plan: &PrunePlan) -> String {
    let mut file = Vec::new();
    plan.write(&mut file).unwrap();
    String::from_utf8(file).unwrap()
}

fn made() -> PrunePlan {
    let mut cache = Cache::of(6);
    cache.blobs.insert(500, 1);
    cache.blobs.insert(501, INDEXED + 1);
    cache.deps = [(0, vec![1])].into();
    cache.plan(&[0, 700]).unwrap()
}

#[test]
fn what_is_written_is_read() {
    for plan in [made(), plan(&Cache::of(2).contents(), None).unwrap()] {
        assert_eq!(PrunePlan::read(written(&plan).as_bytes()), Ok(plan));
    }
}

#[test]
fn the_file_reads_well() {
    insta::with_settings!({
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("prune-plan", written(&made()));
    });
}

#[test]
fn equal_caches_and_lists_give_equal_ids_at_any_time() {
    let mut later = made();
    later.made_at = at(LISTED + 99);
    assert_eq!(later.id(), made().id());
    assert_eq!(PlanId::parse(&made().id().to_string()), Some(made().id()));
    assert_ne!(Cache::of(6).plan(&[0]).unwrap().id(), Cache::of(6).plan(&[0, 700]).unwrap().id(), "other keep lists");
    let mut moved = made();
    moved.root = "develop/other".into();
    assert_ne!(moved.id(), made().id());
}

#[test]
fn the_id_is_the_checksum_of_the_compact_plan() {
    let file: serde_json::Value = serde_json::from_str(&written(&made())).unwrap();
    // As `jq -c .plan` writes it: the fields in the order of the file.
    let text = written(&made());
    let (_, plan) = text.split_once("\"plan\": ").unwrap();
    let lines: String = plan.trim_end().strip_suffix('}').unwrap().lines().map(str::trim).collect();
    assert_eq!(Checksum::of(lines.replace("\": ", "\":").as_bytes()).to_string(), file["id"].as_str().unwrap());
}

/// What reading says after one change of the text.
fn after(from: &str, to: &str) -> PlanFileError {
    let text = written(&made());
    assert!(text.contains(from), "{from} is not in {text}");
    PrunePlan::read(text.replacen(from, to, 1).as_bytes()).unwrap_err()
}

#[test]
fn any_change_is_noticed() {
    let id = |error| matches!(error, PlanFileError::Id { .. });
    assert!(id(after(&path(3), &path(900))));
    assert!(id(after("\"root\": \"develop/e4s\"", "\"root\": \"develop\"")));
    assert!(id(after("\"most_percent\": 100", "\"most_percent\": 99")));
    assert!(id(after("\"reason\": \"orphan\"", "\"reason\": \"only_doomed\"")));
    assert!(id(after("\"withheld\": []", "\"withheld\": [\"x\"]")));
    assert!(id(after(&made().id().to_string(), &"0".repeat(64))));
    assert_eq!(after("\"blob_bytes\": ", "\"blob_bytes\": 1"), PlanFileError::Derived);
    assert_eq!(after("\"hours\": 36", "\"hours\": 0"), PlanFileError::Derived);
    let json = |error| matches!(error, PlanFileError::Json(_));
    assert!(json(after("\"root\"", "\"extra\": 1, \"root\"")));
    assert!(json(after("\"withheld\": [],", "")));
    assert_eq!(after("prune-plan/1", "prune-plan/2"), PlanFileError::Schema("stackhand.prune-plan/2".to_owned()));
    assert!(json(PrunePlan::read(b"\xff\x00").unwrap_err()) && json(PrunePlan::read(b"[]").unwrap_err()));
    let half = written(&made());
    assert!(json(PrunePlan::read(&half.as_bytes()[..half.len() / 2]).unwrap_err()));
}

#[test]
fn a_plan_with_a_good_id_that_leads_outside_is_refused() {
    let forged = |change: &dyn Fn(&mut PrunePlan)| {
        let mut plan = made();
        change(&mut plan);
        PrunePlan::read(written(&plan).as_bytes()).unwrap_err()
    };
    for outside in [
        "v3/manifests/index/index.manifest.json".to_owned(),
        format!("e4s/{}", path(2)),
        format!("../{}", path(2)),
        path(2).replace("/pkg/", "/../"),
        path(3),
    ] {
        let error = forged(&|plan| plan.manifests[0].path = outside.clone().into());
        assert_eq!(error, PlanFileError::Outside(outside));
    }
    let late = forged(&|plan| plan.blobs[0].modified = at(INDEXED + 1));
    assert!(matches!(late, PlanFileError::Outside(path) if path.starts_with("blobs/")));
    let twice = forged(&|plan| plan.blobs.push(plan.blobs.last().unwrap().clone()));
    assert!(matches!(twice, PlanFileError::Order(_)));
    assert_eq!(forged(&|plan| plan.leave_out.push(hash(0))), PlanFileError::Order(hash(5).to_string()));
    assert_eq!(plan(&Cache::of(1).contents(), Some(&pins(&[0]))).map(|plan| plan.is_empty()), Ok(true));
}
