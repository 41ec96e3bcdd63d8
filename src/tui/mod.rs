//! The console on a terminal: keys become actions, actions become intents, the world becomes a picture. Knows the console's mind and nothing
//! of the outside: a face is handed its terminal and its two channels.

pub mod app;
pub mod files;
pub mod glyphs;
pub mod keys;
mod list;
pub mod screen;
pub mod screens;
pub mod surface;
#[cfg(test)]
pub mod testing;
pub mod theme;
pub mod widgets;
