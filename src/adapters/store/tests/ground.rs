//! Where the store of a test lies: each test that is about both databases runs on both.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use super::server::Server;
use super::{NOW, Scratch};
use crate::adapters::store::{Place, Store};
use crate::ci::Timestamp;

/// One server for all tests of this process; it ends with it.
static SERVER: LazyLock<Option<Server>> = LazyLock::new(Server::start);

/// A database that only one test knows.
pub enum Ground {
    Sqlite(Scratch),
    /// The file of somebody else's scratch.
    File(PathBuf),
    Postgres(Place),
}

impl Ground {
    pub fn sqlite(name: &str) -> Self {
        Self::Sqlite(Scratch::new(&name.replace("::", "-")))
    }

    /// A schema of its own, where there is a server.
    pub fn postgres(name: &str) -> Option<Self> {
        Some(Self::Postgres(place(server()?, name)))
    }

    /// The store, as after a start at this time.
    pub async fn open(&self, now: Timestamp) -> Store {
        let opened = match self {
            Self::Sqlite(scratch) => Store::open(&scratch.db(), now).await,
            Self::File(path) => Store::open(path, now).await,
            Self::Postgres(place) => Store::open_postgres(place, now).await,
        };
        opened.unwrap()
    }

    /// A store for a test that opens it once.
    pub async fn store(&self) -> Store {
        match self {
            Self::Sqlite(_) => Store::in_memory(NOW).await.unwrap(),
            _ => self.open(NOW).await,
        }
    }

    /// What it keeps of a text: PostgreSQL has no NUL in them.
    pub fn kept(&self, text: &str) -> String {
        if matches!(self, Self::Postgres(_)) { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
    }

    /// Tells another process of it.
    pub fn hand_over(&self, command: &mut Command) {
        match self {
            Self::Sqlite(scratch) => command.env("STACKHAND_TEST_DB", scratch.db()),
            Self::File(path) => command.env("STACKHAND_TEST_DB", path),
            Self::Postgres(place) => {
                command.env("STACKHAND_TEST_DB", &place.url).env("STACKHAND_TEST_PROJECT", &place.project)
            }
        };
    }

    /// What another process was told of.
    pub fn handed_over() -> Option<Self> {
        let place = std::env::var("STACKHAND_TEST_DB").ok()?;
        Some(match std::env::var("STACKHAND_TEST_PROJECT") {
            Ok(project) => Self::Postgres(Place { url: place, ..place_of(project) }),
            Err(_) => Self::File(place.into()),
        })
    }
}

pub fn server() -> Option<&'static Server> {
    SERVER.as_ref()
}

/// A schema of a server.
pub fn place(server: &Server, name: &str) -> Place {
    Place { url: server.url(), ..place_of(name.to_owned()) }
}

fn place_of(project: String) -> Place {
    let (connect, statement) = (Duration::from_secs(20), Duration::from_secs(20));
    Place { url: String::new(), password: None, project, connect, statement }
}

/// Makes tests of functions that take a [`Ground`]: one on each database.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod on_sqlite {
            use $crate::adapters::store::tests::Ground;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&Ground::sqlite(concat!(module_path!(), "::", stringify!($name)))).await;
                }
            )*
        }

        mod on_postgres {
            use $crate::adapters::store::tests::Ground;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(ground) = Ground::postgres(concat!(module_path!(), "::", stringify!($name))) {
                        super::$name(&ground).await;
                    }
                }
            )*
        }
    };
}
pub(in crate::adapters::store) use on_both;
