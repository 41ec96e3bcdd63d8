//! `stackhand config`: the effective settings, where each came from, and what was odd; as JSON in [`SHAPE`]. No secret is ever shown.

use serde_json::json;

use super::args::Globals;
use super::assemble::Wanted;
use super::exit::Failure;
use super::out::{self, Out};

/// What `--json` prints.
pub const SHAPE: &str = "\
JSON `stackhand.config/1`: `version`, `settings` [{`key`, `value` (as one would write it), `origin`, `help`}], `warnings` [text].";

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Says of each setting what it does and where its value came from.
    #[arg(long)]
    explain: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Shows the settings.
pub fn run(globals: &Globals, ask: &Ask) -> Result<(), Failure> {
    let out = Out { ascii: globals.ascii };
    let loaded = Wanted::new(globals)?.load()?;
    let settings = loaded.explain();
    if ask.json {
        let settings: Vec<_> = settings
            .iter()
            .map(|s| json!({ "key": s.key, "value": s.value, "origin": s.origin.to_string(), "help": s.help }))
            .collect();
        let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        return out::json(&json!({ "version": "stackhand.config/1", "settings": settings, "warnings": warnings }));
    }
    for setting in &settings {
        if ask.explain {
            out.line(&format!("{} = {}  ({})", setting.key, setting.value, setting.origin))?;
            out.line(&format!("    {}", setting.help))?;
        } else {
            out.line(&format!("{} = {}", setting.key, setting.value))?;
        }
    }
    for warning in &loaded.warnings {
        out.note(&warning.to_string());
    }
    Ok(())
}
