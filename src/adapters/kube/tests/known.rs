use super::super::known::Known;
use super::*;

fn object(name: &str, uid: &str, version: &str) -> Object {
    Object::of(node(name, uid, version)).unwrap()
}

#[test]
fn what_is_told_twice_or_too_late_changes_nothing() {
    let mut known = Known::default();
    let mut list = vec![object("a", "ua", "1"), object("a", "ua", "1"), object("b", "ub", "2")];
    known.reset(&mut list);
    assert_eq!((list.len(), known.len()), (2, 2));
    assert_eq!(known.apply(object("a", "ua", "1")), []);
    assert_eq!(known.apply(object("a", "ua", "3")), [Change::Applied(object("a", "ua", "3"))]);
    assert!(known.delete(object("a", "ua", "4")).is_some());
    assert_eq!(known.apply(object("a", "ua", "3")), [], "what is gone does not come back");
    assert!(known.delete(object("a", "ua", "4")).is_none());
    assert!(known.delete(object("x", "never", "4")).is_none());
    assert_eq!(known.apply(object("a", "ua2", "5")), [Change::Applied(object("a", "ua2", "5"))]);
    // The end of the former owner comes after all.
    assert!(known.delete(object("a", "ua", "4")).is_none());
    assert_eq!(known.len(), 2);
}

#[test]
fn what_nobody_reads_is_left_out() {
    let json = json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": [{"f:x": {}}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes"}}, "spec": {"x": 1}});
    let object = Object::of(json).unwrap();
    let left = json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "annotations": {"kept": "yes"}}, "spec": {"x": 1}});
    assert_eq!(object.json(), left);
}

proptest::proptest! {
    /// Whatever is told in whatever order, changes applied to a plain map give what the follower takes for known.
    #[test]
    fn changes_lead_where_events_lead(events in proptest::collection::vec((0..3_u8, 0..4_u8, 0..3_u8, 0..9_u8), 0..60)) {
        let mut known = Known::default();
        let mut map = std::collections::BTreeMap::new();
        for (what, name, uid, version) in events {
            let object = object(&format!("n{name}"), &format!("u{name}-{uid}"), &version.to_string());
            let changes = if what == 2 { known.delete(object).into_iter().collect() } else { known.apply(object) };
            for change in changes {
                match change {
                    Change::Applied(object) => { map.insert(object.id.uid.clone(), object); }
                    Change::Deleted { id, .. } => { proptest::prop_assert!(map.remove(&id.uid).is_some()); }
                    Change::Reset(_) => unreachable!(),
                }
            }
            proptest::prop_assert_eq!(map.len(), known.len());
            let names: std::collections::BTreeSet<_> = map.values().map(|object| &object.id.name).collect();
            proptest::prop_assert_eq!(names.len(), map.len(), "a name has one owner");
        }
    }
}
