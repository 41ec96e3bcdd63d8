//! Why things of binary caches are as they are: what `e` says about a mirror, a root, a finding and a spec.

use super::words::{growth, severity};
use crate::cache::{Finding, FindingKind, Signature, SignatureState};
use crate::ci::{Job, SpecName, Status, Timestamp, short};
use crate::console::caches::{BlobPart, Inside, MirrorRow, RootFacts, RootId, RootRow, SpecFacts, SpecId};
use crate::console::text::{clean, count, plural, size};
use crate::tui::screen::Cx;
use crate::tui::screens::told::{BOX, Lines, line, title, wrapped};
use crate::tui::theme::Role;

/// Names of a list that are told; the rest is counted.
const TOLD: usize = 8;

/// `a, b, c and 12 more`.
fn some_of<'a>(names: impl ExactSizeIterator<Item = std::borrow::Cow<'a, str>>) -> String {
    let more = names.len().saturating_sub(TOLD);
    let told = names.take(TOLD).collect::<Vec<_>>().join(", ");
    if more == 0 { told } else { format!("{told} and {} more", count(more as u64)) }
}

/// A mirror.
pub fn mirror(cx: Cx<'_>, row: &MirrorRow) -> Lines {
    let roots = row.roots.len();
    let looked = row.roots.iter().filter(|root| root.state.is_some()).count();
    let mut lines = vec![
        title(format!(
            "{} is {} with {} and {}",
            row.name,
            plural(roots as u64, "root"),
            size(row.total.bytes),
            plural(row.specs, "spec")
        )),
        line(format!(
            "somebody looked into {looked} of them; of the others only sizes and the age of the index are known"
        )),
    ];
    if row.growth.is_none() {
        let unknown = row.roots.iter().filter(|root| root.growth.is_none()).count();
        let why = format!("its growth is not known: {} not sampled a day apart yet", plural(unknown as u64, "root"));
        lines.push(line(why));
    }
    for root in row.roots.iter().filter(|root| root.state.is_some_and(|s| s <= crate::cache::Severity::Warn)).take(TOLD)
    {
        let (glyph, role) = severity(cx, root.state);
        lines.push((format!("  {glyph} {}", clean(&root.name)), role));
    }
    if let Some(twice) = duplication(cx, row) {
        lines.push(line(twice));
    }
    wrapped(lines, BOX)
}

/// What lies twice below the address of a mirror's roots.
fn duplication(cx: Cx<'_>, row: &MirrorRow) -> Option<String> {
    let caches = &cx.world.caches;
    let url = &caches.root(row.roots.first()?.id)?.url;
    let (address, twice) = caches.duplication.iter().find(|(address, _)| url.starts_with(&***address))?;
    Some(format!(
        "below {address} {} are copies of blobs that lie in another root as well; every blob once is {}",
        size(twice.copies.bytes),
        size(twice.distinct.bytes)
    ))
}

/// A root, in the list of all.
pub fn root(cx: Cx<'_>, row: &RootRow, facts: &RootFacts) -> Lines {
    let ago = |at: Timestamp| format!("{} ago", short(cx.server_now().since(at)));
    let mut lines = vec![
        title(&*facts.url),
        line(format!("a cache of kind `{}`, sampled {}", facts.root.kind.word(), ago(row.at))),
    ];
    if let Some(sample) = facts.newest() {
        let sizes = &sample.sizes;
        let parts = [
            ("blobs", sizes.blobs),
            ("manifests of specs", sizes.specs),
            ("indexes and keys", sizes.service),
            ("layout 2", sizes.v2),
            ("of no known layout", sizes.foreign),
        ];
        for (what, amount) in parts.into_iter().filter(|(_, amount)| amount.objects > 0) {
            lines.push(line(format!("  {:>9}  {} {what}", size(amount.bytes), count(amount.objects))));
        }
    }
    lines.push(line(match row.growth {
        Some(_) => format!("{} in a day", growth(row.growth)),
        None => "its growth is not known: it was not sampled a day apart yet".to_owned(),
    }));
    lines.push(line(match (row.has_index, row.index) {
        (false, _) if row.specs > 0 => "it has no index: Spack sees none of its binaries".to_owned(),
        (false, _) => "it has no index".to_owned(),
        (true, Some(at)) => format!("its index was written {}", ago(at)),
        (true, None) => "when its index was written is not known".to_owned(),
    }));
    match (facts.inside.value.as_deref(), row.looked_at) {
        (Some(inside), _) => {
            for (kind, n) in inside.health.tally() {
                let (glyph, role) = severity(cx, Some(kind.severity()));
                lines.push((format!("  {glyph} {} {}; {}", count(n as u64), kind.word(), kind.remedy()), role));
            }
        }
        (None, Some(at)) => {
            let what = row.state.map_or("not known", crate::cache::Severity::word);
            lines.push(line(format!("somebody looked inside {}: the worst was `{what}`; Enter looks again", ago(at))));
        }
        (None, None) => lines.push(line("nobody looked inside yet, so its state is not known; Enter does")),
    }
    wrapped(lines, BOX)
}

/// A kind of findings, or one of them.
pub fn finding(inside: &Inside, kind: FindingKind, one: Option<&Finding>) -> Lines {
    let mut lines = vec![title(format!("{} ({})", kind.word(), kind.severity().word())), line(meaning(kind))];
    if let Some(finding) = one {
        lines.push(line(""));
        lines.push(line(format!("{}: {}", super::findings::place(inside, finding), finding.what)));
        if !finding.place.is_empty() {
            lines.push(line(format!("  {}", finding.place)));
        }
    }
    lines.push(line(""));
    lines.push(line(format!("do: {}", kind.remedy())));
    wrapped(lines, BOX)
}

/// What a kind of findings means to those who build and install.
const fn meaning(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Unread => {
            "something could not be listed or read, so nothing below it is known to be there or missing"
        }
        FindingKind::NoIndex => "Spack finds binaries by the index alone: without one it sees none here",
        FindingKind::DanglingIndex => {
            "the manifest of the index names a blob that is gone: Spack fails to read this mirror"
        }
        FindingKind::DamagedIndex => "the index is not what its checksum promises: Spack fails to read this mirror",
        FindingKind::NewerIndex => "a newer Spack wrote the index; older ones ignore this mirror",
        FindingKind::Forged => {
            "recomputing the hash of the record gives another one: somebody changed it, or wrote it wrong"
        }
        FindingKind::OldIndex => "what was pushed since is not found, so jobs build it again",
        FindingKind::MissingManifest => {
            "jobs and users are told that it is here, and fail or build it when they come for it"
        }
        FindingKind::MissingBlob => "its manifest is there and a part of it is not: installing it fails",
        FindingKind::WrongLength => "a push broke off or something overwrote it: installing it fails on the checksum",
        FindingKind::NeverPushed => "something here was built with it, but its binary lies elsewhere or nowhere",
        FindingKind::DamagedManifest => "nobody can tell which blobs it names, so none of them counts as unreferenced",
        FindingKind::OddName => "Spack finds manifests by the hash in their name; this one has none",
        FindingKind::BadSignature => "it was changed after it was signed, or is about another spec than its name says",
        FindingKind::Unindexed => "it is here, and Spack does not find it until the index is written anew",
        FindingKind::Orphans => {
            "they cost, and no install comes for them; pushes that are under way leave some for a while"
        }
        FindingKind::DamagedKey => "who trusts keys of this mirror cannot fetch this one",
        FindingKind::Foreign => "Spack put them here not; they are counted and never pruned",
        FindingKind::OldLayout => "only Spack before layout 3 reads them",
        FindingKind::ClockSkew => "ages and cutoffs are compared by clocks: with these apart they cannot be trusted",
    }
}

/// A spec of a root: who signed and built it, when it was written, where else it lies, and what keeps it alive.
pub fn spec(cx: Cx<'_>, root: RootId, id: &SpecId) -> Lines {
    let Some(facts) = SpecFacts::of(&cx.world.caches, root, id) else {
        return vec![line("this spec is not known here any more")];
    };
    let mut lines = vec![title(&facts.name)];
    if let Some(hash) = facts.hash {
        lines.push(line(format!("/{hash}: {} here", facts.row.state.word())));
    }
    match &facts.manifest {
        None => lines.push(line("no manifest of it lies here")),
        Some(manifest) => {
            let written = manifest.modified.map_or("at a time that is not known".to_owned(), |at| {
                format!("{} ({} ago)", at, short(cx.server_now().since(at)))
            });
            lines.push(line(format!("its manifest was written {written}")));
            lines.push(line("  signing jobs write manifests anew, so it may have been built long before"));
        }
    }
    lines.push(line(""));
    lines.extend(known(cx, &facts, BOX));
    wrapped(lines, BOX)
}

/// What is known about a binary's signature, where somebody verified it.
pub fn verified<'a>(cx: Cx<'a>, facts: &'a SpecFacts) -> Option<&'a Signature> {
    let root = cx.world.caches.root(facts.root)?;
    let asked = facts.hash.and_then(|hash| root.signatures.get(&hash)?.value.as_ref());
    asked.or_else(|| facts.manifest.as_ref()?.signature.as_ref())
}

/// Who signed a binary, and whether that is worth anything.
fn signature(cx: Cx<'_>, facts: &SpecFacts) -> (String, Role) {
    let plain = |text: &str| (text.to_owned(), Role::Text);
    let Some(hash) = facts.hash.filter(|_| facts.manifest.is_some()) else {
        return plain("no binary of it lies here, so nobody signed one");
    };
    let asked = cx.world.caches.root(facts.root).and_then(|root| root.signatures.get(&hash));
    if let Some(signature) = verified(cx, facts) {
        let role = match signature.state() {
            SignatureState::Good => Role::StateOk,
            SignatureState::Bad => Role::StateFail,
            SignatureState::UnknownKey | SignatureState::Unsigned => Role::Text,
        };
        let what = clean(&signature.to_string()).into_owned();
        let age = asked.and_then(|asked| asked.age(cx.now)).map(|age| format!(", verified {} ago", short(age)));
        let again = asked.and_then(|asked| asked.error.as_ref());
        let again = again.map_or(String::new(), |fault| format!("; not verified again: {}", clean(&fault.detail)));
        return (format!("{what}{}{again}", age.unwrap_or_default()), role);
    }
    match asked.and_then(|asked| asked.error.as_ref()) {
        Some(fault) => (format!("signature not verified: {}", clean(&fault.detail)), Role::FreshError),
        None => plain("signature being verified …"),
    }
}

/// The job that built a spec, if it is among those that are known.
fn builder(cx: Cx<'_>, facts: &SpecFacts) -> String {
    let built = |job: &&Job| {
        let spec = SpecName::parse(&job.name);
        spec.zip(facts.hash).is_some_and(|(spec, hash)| hash.as_str().starts_with(spec.hash))
    };
    let newest = cx.world.jobs().filter(built).filter(|job| job.status == Status::Success).max_by_key(|job| job.id);
    let Some(job) = newest else { return "no job of the pipelines that are known here".to_owned() };
    let home = cx.world.home(job.id).map(|home| clean(&home.pipeline.git_ref).into_owned());
    let at = job.finished_at.map_or(String::new(), |at| format!(", {} ago", short(cx.server_now().since(at))));
    format!("job {} of {}{at}", job.id, home.unwrap_or_else(|| "a pipeline that is gone".to_owned()))
}

/// What is wrong with a spec, where else it lies, and what keeps it alive, as far as the console knows.
pub fn known(cx: Cx<'_>, facts: &SpecFacts, room: usize) -> Lines {
    let mut lines = Vec::new();
    for finding in &facts.findings {
        let (glyph, role) = severity(cx, Some(finding.kind.severity()));
        let what = clean(&finding.what).into_owned();
        lines.push((format!("{glyph} {}: {what}; {}", finding.kind.word(), finding.kind.remedy()), role));
    }
    lines.push(signature(cx, facts));
    lines.push(line(format!("built by {}", builder(cx, facts))));
    lines.push(title("kept alive by"));
    let root_name = |id| cx.world.caches.root(id).map_or("?".into(), |facts| facts.root.to_string().into());
    lines.push(line(match (&facts.entry, facts.has_index) {
        (_, false) => "  the index could not be read, so nobody can say".to_owned(),
        (None, true) => "  nothing in the index: it does not list it".to_owned(),
        (Some(entry), true) if entry.listed.in_buildcache => "  the index, which lists its binary".to_owned(),
        (Some(entry), true) if entry.listed.external => "  the index, as an external that needs no binary".to_owned(),
        (Some(_), true) => "  the index, as something that others need, without its binary".to_owned(),
    }));
    if !facts.views.is_empty() {
        let views = some_of(facts.views.iter().map(|view| (&**view).into()));
        lines.push(line(format!("  {}: {views}", plural(facts.views.len() as u64, "view"))));
    }
    if !facts.dependants.is_empty() {
        let count = plural(facts.dependants.len() as u64, "spec");
        lines.push(line(format!("  {count} of the index that need it: {}", dependants(cx, facts))));
    }
    if let Some(entry) = &facts.entry {
        lines.push(line(match entry.deps.len() as u64 {
            0 => "it needs no other spec itself".to_owned(),
            needs => format!("it needs {} itself", plural(needs, "other spec")),
        }));
    }
    lines.push(title("elsewhere"));
    if facts.others == 0 {
        lines.push(line("  nobody looked into another root in this session, so nothing is known"));
    } else {
        let others = plural(facts.others as u64, "other root");
        let names = some_of(facts.elsewhere.iter().map(|other| root_name(other.root)));
        lines.push(line(if facts.elsewhere.is_empty() {
            format!("  in none of {others} that somebody looked into")
        } else {
            format!("  in {} of {others} that somebody looked into: {names}", facts.elsewhere.len())
        }));
    }
    for blob in facts.blobs.iter().filter(|blob| blob.part != BlobPart::Manifest && !blob.shared.is_empty()) {
        let names = some_of(blob.shared.iter().map(|id| spec_name(cx, facts, id).into()));
        lines.push(line(format!("  its {} is that of {names} as well", blob.part.word())));
    }
    if let Some((hash, url)) = facts.hash.zip(cx.world.caches.root(facts.root).map(|root| &root.url)) {
        let url = clean(url);
        lines.push(line(format!(
            "what keep lists say: `stackhand cache why /{} --mirror {url} --gather`",
            hash.short()
        )));
    }
    wrapped(lines, room)
}

fn dependants(cx: Cx<'_>, facts: &SpecFacts) -> String {
    some_of(facts.dependants.iter().map(|id| spec_name(cx, facts, id).into()))
}

/// A spec of the same root by its name.
fn spec_name(cx: Cx<'_>, facts: &SpecFacts, id: &SpecId) -> String {
    let inside = cx.world.caches.root(facts.root).and_then(|root| root.inside.value.as_deref());
    let name = inside.and_then(|inside| Some(inside.specs.text(inside.specs.row(inside.specs.find(id)?)?).to_owned()));
    name.unwrap_or_else(|| match id {
        SpecId::Hash(hash) => format!("/{}", hash.short()),
        SpecId::Path(path) => path.to_string(),
    })
}
