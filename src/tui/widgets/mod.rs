//! The pieces that screens are made of. Each draws itself into a buffer with a [`Pen`] and changes nothing else; what it needs to remember
//! (a cursor, a line being typed) is a value that the screen keeps. Knows no world, no screen and no key.

mod cursor;
mod help;
mod hints;
mod palette;
mod panel;
mod pen;
mod plot;
mod popup;
mod prompt;
mod table;
mod toast;

pub use cursor::Cursor;
pub use help::{HelpLine, help, help_lines};
pub use hints::{hints, which_key};
pub use palette::{PaletteEntry, Ranked, palette, rank};
pub use panel::{Panel, empty};
pub use pen::{Cut, Look, Pen};
pub use plot::{bar, curve, curve_values, sparkline};
pub use popup::popup;
pub use prompt::{Line, Prompt};
pub use table::{Align, Cell, Column, Row, Table, Width};
pub use toast::{Toast, toast};
