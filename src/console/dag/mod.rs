//! The needs graph as a person sees it: a lens chooses the jobs, a layout orders them, a scene says what is drawn, a picture draws it.
//!
//! [`View`] is the one door: it keeps what must not change while somebody looks (the layout, the jobs once shown and their rows) and makes a
//! [`Scene`] from the graph as it is now. The DAG screen draws the scene's [`Picture`] with its theme; `stackhand dag` prints the same scene as
//! text, JSON or Mermaid. Nothing here knows colours or keys, and nothing is fetched: what the graph does not know of a job comes as
//! [`Facts`] from the caller.

mod build;
mod canvas;
mod layout;
mod lens;
mod minimap;
mod moves;
mod names;
mod picture;
mod place;
mod route;
mod scene;
mod stacks;
#[cfg(test)]
mod tests;
mod twin;
mod view;

pub use canvas::{Canvas, Glyph, Role};
pub use layout::Layout;
pub use lens::Lens;
pub use minimap::{Minimap, Spot};
pub use moves::Move;
pub use picture::{Picture, Style, Zoom, glyph, group_word};
pub use scene::{Body, Cell, CellId, Column, Edge, Facts, Node, Scene};
pub use stacks::{Stack, stacks};
pub use twin::{json, mermaid, say, text};
pub use view::View;
