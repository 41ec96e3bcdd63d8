//! What a change reaches.

use super::Dag;
use super::lists::set;

/// The nodes that have to be looked at when some have changed: those, what depends on them up to `depth` levels above (see
/// [`Dag::within`]), and everything that any of these depends on. One mark per place.
pub fn affected(dag: &Dag, changed: &[u32], depth: Option<i64>) -> Vec<bool> {
    let mut marks = vec![false; dag.len()];
    let mut open: Vec<u32> = dag.within(changed.iter().copied(), depth).concat();
    open.retain(|node| set(&mut marks, *node));
    while let Some(node) = open.pop() {
        open.extend(dag.children(node).iter().copied().filter(|child| set(&mut marks, *child)));
    }
    marks
}
