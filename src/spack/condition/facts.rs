//! What conditions may ask about.

use std::collections::BTreeMap;
use std::fmt;

/// The machine that a stack is read for, as Spack would describe it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// `linux`, `darwin`, `windows`.
    pub platform: String,
    /// `debian12`, `ventura`, …
    pub os: String,
    /// `x86_64_v3`, `zen4`, …
    pub target: String,
    pub hostname: String,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
}

impl Facts {
    /// The text of Spack's own spec for this machine.
    pub(super) fn arch_text(&self) -> String {
        format!("platform={} os={} target={}", self.platform, self.os, self.target)
    }
}

/// Values of variables may be secrets; only their names are shown.
impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("platform", &self.platform)
            .field("os", &self.os)
            .field("target", &self.target)
            .field("hostname", &self.hostname)
            .field("env", &self.env.keys())
            .finish()
    }
}
