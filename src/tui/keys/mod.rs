//! From keys to actions: chord notation, keymap files, and the walk from one key to the next. A keymap is loaded whole and replaced whole;
//! the app loop feeds it keys and gets back what to run. Nothing else in the console looks at a key, except the prompt that types text.

mod chord;
mod keymap;
mod load;

pub use chord::{Chord, ChordError, key_name};
pub use keymap::{Binding, Branch, Continuation, Keymap, Origin, Pending, Step};
pub use load::BUILT_IN;
