//! What the user wants: settings from layered sources, each value with the place it came from.
//!
//! Layers, the later winning: built-in < `/etc/stackhand/config.toml` < the user's file < the project's `.stackhand.toml` <
//! `STACKHAND_*` variables < flags. One table ([`SETTINGS`]) says what exists; reading, defaults, variable names, `config --explain` and
//! the table of the README all come from it. To add a setting, add a line there.
//!
//! The faces call [`load`] and hand plain [`Config`] values down. Files are touched in `disk` only, everything else is pure. Tokens
//! never enter a [`Config`]: [`secret`] reads one at the moment it is needed.

mod auto;
mod database;
mod disk;
mod error;
mod file;
mod guard;
mod layers;
mod nearest;
mod origin;
mod table;
mod token;
mod value;

pub use auto::AutoRetry;
pub use database::StoreUrl;
pub use disk::{LoadArgs, Paths, environment, hook_secrets, load, secret, service_secret};
pub use error::ConfigError;
pub use guard::{Guard, Role, Rule};
pub use layers::{Explained, Flag, Loaded};
pub use origin::{Origin, Place, Warning};
pub use table::{
    Actions, Alertmanager, Bridge, Budget, Cache, Config, Daemon, Generation, Github, Gitlab, Kubernetes, Log,
    Pipelines, Poll, Prometheus, SETTINGS, Setting, Store, Ui, reference,
};
pub use token::TokenSource;
pub use value::{Ascii, BaseUrl, Color, Listen, Mode, Names};
