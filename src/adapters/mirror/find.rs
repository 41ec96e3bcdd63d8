//! One binary, asked for by its name.

use super::index::{verifiable, verified};
use super::reader::{Reader, aside};
use super::root::Root;
use super::settings::{MAX_MANIFEST, MAX_METADATA};
use crate::spack::buildcache::{Manifest, described, v2, v3};
use crate::spack::{Hash, Spec};

/// The newest layout in which the binary of a spec lies.
pub(super) async fn find(reader: &Reader, root: &Root, spec: &Spec, only_signed: bool) -> Result<Option<u8>, String> {
    if is_in_v3(reader, root, spec, only_signed).await? {
        return Ok(Some(3));
    }
    Ok(is_in_v2(reader, root, spec).await?.then_some(2))
}

async fn is_in_v3(reader: &Reader, root: &Root, spec: &Spec, only_signed: bool) -> Result<bool, String> {
    let path = v3::spec_manifest(&spec.name, &spec.version, &spec.hash);
    let shown = root.shown(&path);
    let Some(object) = reader.get(root, &path, MAX_MANIFEST).await? else { return Ok(false) };
    let manifest = Manifest::parse(&object.bytes).map_err(|error| format!("{shown}: {error}"))?;
    if only_signed && !manifest.is_signed {
        return Ok(false);
    }
    let (record, _) = manifest.spec().ok_or_else(|| format!("{shown}: it names no metadata; push the binary again"))?;
    verifiable(record).map_err(|what| format!("{shown}: {what}"))?;
    let limit = usize::try_from(record.length).unwrap_or(MAX_METADATA).min(MAX_METADATA);
    // A manifest alone is no proof: the push may have been undone halfway.
    let Some(object) = reader.get(root, &record.path(), limit).await? else { return Ok(false) };
    let shown = root.shown(&record.path());
    let (record, hash) = (record.clone(), spec.hash);
    let checked = aside(move || {
        let bytes = verified(object, &record)?;
        let (found, _) = described(&bytes).map_err(|error| error.to_string())?;
        same(&found, &hash)
    });
    checked.await?.map(|()| true).map_err(|what| format!("{shown}: {what}"))
}

async fn is_in_v2(reader: &Reader, root: &Root, spec: &Spec) -> Result<bool, String> {
    let Some(path) = v2::signed_spec(spec) else { return Ok(false) };
    let Some(object) = reader.get(root, &path, MAX_METADATA).await? else { return Ok(false) };
    let read = described(&object.bytes).map_err(|error| error.to_string()).and_then(|(found, is_signed)| {
        same(&found, &spec.hash)?;
        Ok(is_signed)
    });
    read.map_err(|what| format!("{}: {what}", root.shown(&path)))
}

/// A good manifest under another name is still signed; Spack itself would take it.
fn same(found: &Hash, wanted: &Hash) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("it is about the spec {found} and not about {wanted}; push the binary again"))
}
