//! `cache verify`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::unread;
use crate::adapters::gpg::{KeyFile, Verifier};
use crate::cache::{Signature, SignatureState};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{self, Progress};
use crate::console::text::count;
use crate::controller::verify::{Verified, verify};

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The cache root whose binaries are verified.
    #[arg(long, value_name = "URL")]
    mirror: String,
    /// Files with the public keys whose signatures count; else `cache.keyring`.
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Verifies every binary; code 1 when one is bad, 4 when something could not be read.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let files = if ask.keyring.is_empty() {
        setup.loaded.config.cache.keyring.iter().cloned().collect()
    } else {
        ask.keyring.clone()
    };
    if files.is_empty() {
        let what =
            "no key is given, so that no signature could be good; name a file with --keyring or set `cache.keyring`";
        return Err(Failure::new(Exit::Config, what));
    }
    let keys = files.iter().map(|path| {
        let name = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::new(Exit::Config, format!("{name}: {error}; name a readable file")))?;
        Ok(KeyFile { name, bytes })
    });
    let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
    let verifier = Verifier::new(&keys).await.map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let progress = Mutex::new((Instant::now(), Progress::new()));
    let mut told = |done: usize, all: usize| {
        let Ok(mut progress) = progress.lock() else { return };
        if progress.0.elapsed() >= Progress::PATIENCE {
            let text = format!("verifying {}: {} of {}", ask.mirror, count(done as u64), count(all as u64));
            progress.1.say(&text);
        }
    };
    let verified = verify(&setup.outside.mirrors, &verifier, &ask.mirror, &mut told).await.map_err(unread)?;
    drop(progress);
    if ask.json {
        tell_json(ask, &verified)?;
    } else {
        tell(setup, &verified)?;
    }
    let is_bad = verified.binaries.iter().any(|(_, signature)| signature.state() == SignatureState::Bad);
    Ok(match (is_bad, verified.gaps.is_empty()) {
        (true, _) => Exit::Failed,
        (false, false) => Exit::Unreachable,
        (false, true) => Exit::Ok,
    })
}

fn hashes(verified: &Verified, state: SignatureState) -> Vec<String> {
    let of = verified.binaries.iter().filter(|(_, signature)| signature.state() == state);
    of.map(|(binary, _)| binary.hash.to_string()).collect()
}

fn tell_json(ask: &Ask, verified: &Verified) -> Result<(), Failure> {
    let mut document = Map::new();
    document.insert("version".to_owned(), "stackhand.cache-verify/1".into());
    document.insert("url".to_owned(), ask.mirror.as_str().into());
    document.insert("complete".to_owned(), verified.gaps.is_empty().into());
    for state in SignatureState::ALL {
        let hashes = hashes(verified, state);
        document.insert(state.word().to_owned(), json!({"count": hashes.len(), "hashes": hashes}));
    }
    let wrong = verified.binaries.iter().filter_map(|(binary, signature)| match signature {
        Signature::Bad(why) => Some(json!({"hash": binary.hash.to_string(), "path": &*binary.path, "why": &**why})),
        _ => None,
    });
    document.insert("reasons".to_owned(), Value::Array(wrong.collect()));
    let gaps = verified.gaps.iter().map(|gap| json!({"place": &*gap.place, "why": &*gap.why}));
    document.insert("unread".to_owned(), Value::Array(gaps.collect()));
    out::json(&Value::Object(document))
}

fn tell(setup: &Setup, verified: &Verified) -> Result<(), Failure> {
    let counts = SignatureState::ALL.map(|state| format!("{} {}", hashes(verified, state).len(), state.word()));
    setup.out.line(&counts.join(", "))?;
    for (binary, signature) in &verified.binaries {
        if let Signature::Bad(_) | Signature::UnknownKey(_) = signature {
            setup.out.line(&format!("{}: {signature}", binary.path))?;
        }
    }
    for gap in &verified.gaps {
        setup.out.note(&format!("not verified: {}: {}", gap.place, gap.why));
    }
    Ok(())
}
