//! The whole graph in 24×3 characters: how many jobs lie where, and where the failures are.
//!
//! Layers from left to right, places in the layer from top to bottom. Part of every scene; the DAG screen draws it in its corner.

use crate::ci::NeedsGraph;

use super::layout::Layout;

/// One character of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spot {
    /// From 0 (no job) to 4 (the densest spot of the map).
    pub density: u8,
    /// A job that failed or was canceled lies here.
    pub is_broken: bool,
}

/// Density of jobs over layers and places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Minimap {
    pub spots: [[Spot; Self::WIDTH]; Self::HEIGHT],
    layers: usize,
}

impl Minimap {
    pub const WIDTH: usize = 24;
    pub const HEIGHT: usize = 3;

    pub(super) fn of(graph: &NeedsGraph, layout: &Layout) -> Self {
        let layers = layout.layers().len();
        let tallest = layout.layers().iter().map(Vec::len).max().unwrap_or(0);
        let mut map = Self { layers, ..Self::default() };
        let mut counts = [[0_usize; Self::WIDTH]; Self::HEIGHT];
        for (layer, jobs) in layout.layers().iter().enumerate() {
            for (rank, ix) in jobs.iter().enumerate() {
                let (x, y) = (scale(layer, layers, Self::WIDTH), scale(rank, tallest, Self::HEIGHT));
                if let Some(count) = counts.get_mut(y).and_then(|row| row.get_mut(x)) {
                    *count += 1;
                }
                if let Some(spot) = map.spots.get_mut(y).and_then(|row| row.get_mut(x)) {
                    spot.is_broken |= graph.state(*ix).is_broken();
                }
            }
        }
        let densest = counts.iter().flatten().copied().max().unwrap_or(0).max(1);
        for (spot, count) in map.spots.iter_mut().flatten().zip(counts.iter().flatten()) {
            spot.density = (count * 4).div_ceil(densest) as u8;
        }
        map
    }

    /// Where a layer lies on the map, from the left.
    pub fn column_of(&self, layer: usize) -> usize {
        scale(layer, self.layers, Self::WIDTH)
    }
}

/// Few items keep their distance of one; many are squeezed.
fn scale(at: usize, count: usize, room: usize) -> usize {
    if count <= room { at } else { at * room / count }
}
