//! A small invented night, told in events: the core's world and the face that follows it, with answers given by the test.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ci::{
    FailureReason, Iid, Job, JobId, JobKind, Need, Pipeline, PipelineId, RunnerId, RunnerRef, Status, Timestamp,
};
use crate::console::actions::{Outcome, Rules};
use crate::console::effect::{Effect, Fetch};
use crate::console::event::{Event, Intent, NeedsOrigin};
use crate::console::fault::{Fault, FaultKind};
use crate::console::input::{Code, InputEvent, Key};
use crate::console::polling::PollRules;
use crate::console::world::{Edges, World};
use crate::tui::app::{App, Loader, Setup, Wish};
use crate::tui::glyphs::Glyphs;
use crate::tui::keys::{Chord, Keymap};
use crate::tui::theme::{Depth, Theme};

/// 2026-03-14T03:12:07Z.
const START: Timestamp = Timestamp::from_millis(1_773_457_927_000);
pub const NIGHTLY: PipelineId = PipelineId(1_082_341);
const E4S: PipelineId = PipelineId(1_082_344);
pub const ONEAPI: PipelineId = PipelineId(1_082_345);
/// hdf5 of e4s: failed, and the rest of the stack waits for it.
pub const HDF5: JobId = JobId(19_620_412);
const HASH: &str = "k3x2fzvbnwqxkqz5jzd3cnwvcf2f3u5a";

/// The core and its face.
pub struct Night {
    pub core: World,
    pub app: App,
    pub now: Timestamp,
    /// What the executor was asked to send and has not been answered.
    pub acts: Vec<Effect>,
}

impl Night {
    /// Nothing is known yet.
    pub fn unknown() -> Self {
        let world = || World::new("gitlab.spack.io/spack/spack-packages", Rules::default(), PollRules::default());
        let setup = Setup {
            theme: Theme::distinct(Depth::True),
            glyphs: Glyphs::UNICODE,
            keymap: Keymap::shipped("vim").unwrap(),
            who: "hmercer".into(),
            utc_offset: 0,
            context: "develop".to_owned(),
            load: Loader {
                theme: Box::new(|name| Err(format!("no theme `{name}`"))),
                keymap: Box::new(|name| Err(format!("no keymap `{name}`"))),
            },
        };
        Self { core: world(), app: App::new(world(), setup), now: START, acts: Vec::new() }
    }

    /// Everything was read, and there is nothing.
    pub fn empty() -> Self {
        let mut night = Self::unknown();
        night.tell(Event::AuditListed(Vec::new()));
        night.listed(Vec::new());
        night
    }

    /// Four pipelines, one of them with four stacks in which things fail.
    pub fn busy() -> Self {
        let mut night = Self::empty();
        night.now = night.now.shifted(4_000);
        night.listed(parents());
        let children = vec![
            child(E4S, "e4s", Status::Running),
            child(ONEAPI, "e4s-oneapi", Status::Failed),
            child(PipelineId(1_082_346), "ml-linux-x86_64-cuda", Status::Running),
            child(PipelineId(1_082_347), "radiuss", Status::Success),
        ];
        let triggers = children.iter().zip(1..).map(|(child, n)| trigger(n, child)).collect();
        night.tell(Event::TriggerJobsFetched { parent: NIGHTLY, jobs: triggers, children, at: night.now });
        night.jobs(NIGHTLY, vec![job(19_620_001, NIGHTLY, "e4s-generate", Status::Success)], Vec::new());
        let (jobs, edges) = e4s();
        night.jobs(E4S, jobs, edges);
        let mut broken = job(19_620_601, ONEAPI, &spec("kokkos", "4.3.01"), Status::Failed);
        broken.failure_reason = Some(FailureReason::new("runner_system_failure"));
        let mut also = job(19_620_602, ONEAPI, &spec("sundials", "7.1.0"), Status::Failed);
        also.failure_reason = Some(FailureReason::new("job_execution_timeout"));
        night.jobs(ONEAPI, vec![broken, also], Vec::new());
        let pr = PipelineId(1_082_310);
        let mut docs = job(19_619_003, pr, "docs", Status::Failed);
        docs.allow_failure = true;
        night.jobs(pr, vec![docs, job(19_619_004, pr, "approve-release", Status::Manual)], Vec::new());
        night.tell(Event::ServerSeen { skew_ms: Some(-300), requests: 61, limited_until: None });
        night
    }

    /// 35 stacks of 140 jobs, 200 parents with long names, 300 audit rows.
    pub fn huge() -> Self {
        let mut night = Self::unknown();
        let many = (0..200).map(|n| {
            let mut parent =
                pipeline(1_080_000 + n * 7, &format!("pr{}_{}", 51_000 + n, "a_rather_long_branch_name_".repeat(3)));
            parent.status = if n % 3 == 0 { Status::Failed } else { Status::Running };
            parent
        });
        night.listed(many.chain(parents()).collect());
        let children: Vec<Pipeline> = (0..35)
            .map(|n| child(PipelineId(1_090_000 + n), &format!("stack-{n:02}-x86_64_v3-linux"), Status::Running))
            .collect();
        let ids: Vec<PipelineId> = children.iter().map(|c| c.id).collect();
        night.tell(Event::TriggerJobsFetched { parent: NIGHTLY, jobs: Vec::new(), children, at: night.now });
        for (nth, id) in ids.into_iter().enumerate() {
            let jobs = (0..140).map(|n| {
                let status = match (n + nth) % 20 {
                    0 => Status::Failed,
                    1..4 => Status::Running,
                    4..9 => Status::Pending,
                    _ => Status::Success,
                };
                let mut job =
                    job(20_000_000 + (nth * 140 + n) as u64, id, &spec(&format!("py-package-{n:03}"), "2.0.1"), status);
                let reasons =
                    ["script_failure", "runner_system_failure", "job_execution_timeout", "a_reason_of_gitlab_21"];
                job.failure_reason = (status == Status::Failed).then(|| FailureReason::new(reasons[nth % 4]));
                job
            });
            night.jobs(id, jobs.collect(), Vec::new());
        }
        night.tell(Event::ServerSeen { skew_ms: None, requests: 109, limited_until: None });
        for n in 0..300 {
            night.tell(Event::Said { error: n % 2 == 0, text: format!("message {n} of a long night").into() });
        }
        night
    }

    /// One event, to core and face alike; disk answers at once.
    pub fn tell(&mut self, event: Event) {
        let effects = self.core.update(event.clone(), self.now);
        self.app.follow(event, self.now);
        for effect in effects {
            match effect {
                Effect::StoreAudit(row) => self.tell(Event::AuditStored { row, result: Ok(()) }),
                Effect::Act { .. } => self.acts.push(effect),
                _ => {}
            }
        }
    }

    fn listed(&mut self, rows: Vec<Pipeline>) {
        let at = self.now;
        self.tell(Event::PipelinesFetched { rows, at, whole: true });
        self.tell(Event::Fetched { fetch: Fetch::Pipelines, at, result: Ok(()) });
    }

    /// All jobs of a pipeline, and its edges.
    pub fn jobs(&mut self, pipeline: PipelineId, jobs: Vec<Job>, edges: Edges) {
        let ids: BTreeSet<JobId> = jobs.iter().map(|j| j.id).collect();
        let at = self.now;
        self.tell(Event::JobsFetched { pipeline, jobs, at });
        self.tell(Event::JobsListed { pipeline, ids: Arc::new(ids), at });
        self.tell(Event::NeedsFetched { pipeline, edges, origin: NeedsOrigin::Artifact });
    }

    /// GitLab stops to answer.
    pub fn fails(&mut self) {
        let fault = Fault::new(FaultKind::Server { status: 502 }, "list pipelines", "502 Bad Gateway");
        self.tell(Event::Fetched { fetch: Fetch::Pipelines, at: self.now, result: Err(fault) });
    }

    /// Time passes in steps, so that holds and waves move.
    pub fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds * 2 {
            self.now = self.now.shifted(500);
            self.tell(Event::Ticked);
        }
    }

    /// GitLab does what it was asked to.
    pub fn done(&mut self) {
        for act in std::mem::take(&mut self.acts) {
            if let Effect::Act { plan, target, .. } = act {
                let outcome = Outcome::Done { new_job: Some(JobId(19_700_001)) };
                self.tell(Event::TargetFinished { plan, object: target.object, outcome });
            }
        }
    }

    /// Presses chords one after the other, as keymap files write them; intents reach the core, a frame follows each key.
    pub fn press(&mut self, chords: &str) -> Vec<Wish> {
        let keys: Vec<Key> = chords.split(' ').flat_map(|chord| Chord::parse(chord).unwrap().keys().to_vec()).collect();
        let mut wishes = Vec::new();
        for key in keys {
            wishes.extend(self.key(key));
        }
        wishes
    }

    /// Types text into whatever takes it.
    pub fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.key(Key::plain(Code::Char(c)));
        }
    }

    /// The same, all before the next frame, as a slow line delivers them.
    pub fn burst(&mut self, chords: &str) {
        for chord in chords.split(' ') {
            for key in Chord::parse(chord).unwrap().keys() {
                self.answer(*key);
            }
        }
    }

    /// The same, before the core has heard of any of it.
    pub fn burst_unheard(&mut self, chords: &str) {
        for chord in chords.split(' ') {
            for key in Chord::parse(chord).unwrap().keys() {
                self.app.input(InputEvent::Key(*key), self.now);
            }
        }
    }

    fn key(&mut self, key: Key) -> Vec<Wish> {
        let wishes = self.answer(key);
        self.draw(100, 30);
        wishes
    }

    fn answer(&mut self, key: Key) -> Vec<Wish> {
        let wishes = self.app.input(InputEvent::Key(key), self.now);
        for wish in &wishes {
            if let Wish::Intend(intent) = wish {
                self.tell(Event::Intended(intent.clone()));
            }
        }
        wishes
    }

    /// The frame, as often as the screen asks for another.
    pub fn draw(&mut self, width: u16, height: u16) -> ratatui::buffer::Buffer {
        let area = ratatui::layout::Rect::new(0, 0, width, height);
        for _ in 0..20 {
            let mut buf = ratatui::buffer::Buffer::empty(area);
            self.app.draw(self.now, &mut buf);
            let wishes = self.app.needs(self.now);
            if wishes.is_empty() && !self.app.wants_frame(self.now) {
                return buf;
            }
            for wish in wishes {
                if let Wish::Intend(intent) = wish {
                    self.tell(Event::Intended(intent));
                }
            }
        }
        panic!("the screen never comes to rest");
    }

    /// The frame as a person reads it.
    pub fn text(&mut self, width: u16, height: u16) -> String {
        let picture = crate::tui::testing::picture(&self.draw(width, height));
        picture.split("-- roles").next().unwrap_or_default().to_owned()
    }

    /// Retries hdf5 up to its hold.
    pub fn hold(&mut self) {
        self.press("4 r");
        self.now = self.now.shifted(600);
        let wishes = self.press("y");
        assert!(matches!(wishes.as_slice(), [Wish::Intend(Intent::Confirm { .. })]), "{wishes:?}");
        self.now = self.now.shifted(900);
    }
}

pub fn spec(package: &str, version: &str) -> String {
    format!("{package}@{version} /{HASH} Spack CI")
}

fn pipeline(id: u64, git_ref: &str) -> Pipeline {
    let mut pipeline = Pipeline::new(PipelineId(id), git_ref, Status::Running);
    pipeline.iid = Some(Iid(id - 1_000_000));
    pipeline.source = "external_pull_request_event".into();
    pipeline.created_at = Some(START.shifted(-4_320_000 + (id % 60) as i64 * 60_000));
    pipeline
}

fn parents() -> Vec<Pipeline> {
    let mut nightly = pipeline(NIGHTLY.0, "develop");
    nightly.source = "schedule".into();
    let mut hdf5 = pipeline(1_082_310, "pr51234_hdf5_add_1.14.4_and_fix_h5public");
    (hdf5.status, hdf5.user) = (Status::Failed, Some("gtanaka".into()));
    let mut llvm = pipeline(1_082_377, "pr51301_llvm");
    llvm.user = Some("abeckst".into());
    let mut old = pipeline(1_082_302, "pr51199_fftw");
    (old.status, old.user) = (Status::Success, Some("lmoreau".into()));
    vec![nightly, hdf5, llvm, old]
}

fn child(id: PipelineId, stack: &str, status: Status) -> Pipeline {
    let mut child = pipeline(id.0, "develop");
    (child.status, child.stack, child.source) = (status, Some(stack.into()), "parent_pipeline".into());
    child
}

fn trigger(n: u64, child: &Pipeline) -> Job {
    let name = format!("{}-build", child.stack.as_deref().unwrap());
    let mut job = job(19_620_010 + n, NIGHTLY, &name, child.status);
    (job.kind, job.downstream, job.runner) = (JobKind::Bridge, Some(child.id), None);
    job
}

/// A job as REST tells it, with all the times that its status has.
pub fn job(id: u64, pipeline: PipelineId, name: &str, status: Status) -> Job {
    let mut job = Job::new(JobId(id), pipeline, name, status);
    let begun = START.shifted(-1_500_000 + (id % 100) as i64 * 9_000);
    job.created_at = Some(START.shifted(-4_000_000));
    job.tags = ["spack", "public", "x86_64_v3", "large"].map(Arc::from).into();
    if status == Status::Pending {
        job.queued_at = Some(begun);
    }
    if status == Status::Running || matches!(status, Status::Success | Status::Failed) {
        job.started_at = Some(begun);
        job.queued_duration = Some(std::time::Duration::from_secs(40 + id % 60));
        let runner = format!("uo-runner-{}-gitlab-runner-6c9-x2x", id % 3 + 17);
        job.runner = Some(Arc::new(RunnerRef { id: RunnerId(id % 3 + 17), description: runner.into() }));
    }
    if matches!(status, Status::Success | Status::Failed) {
        job.finished_at = Some(begun.shifted(200_000 + (id % 7) as i64 * 61_000));
    }
    if status == Status::Failed {
        job.failure_reason = Some(FailureReason::new("script_failure"));
    }
    job
}

/// A stack in which hdf5 failed.
fn e4s() -> (Vec<Job>, Edges) {
    let rows = [
        ("cmake", "3.31.2", Status::Success, ""),
        ("openmpi", "5.0.5", Status::Success, "cmake"),
        ("zlib-ng", "2.2.3", Status::Success, ""),
        ("hdf5", "1.14.5", Status::Failed, "cmake openmpi zlib-ng"),
        ("trilinos", "16.0.0", Status::Skipped, "hdf5 openmpi"),
        ("adios2", "2.10.2", Status::Skipped, "hdf5"),
        ("paraview", "5.13.1", Status::Skipped, "adios2 hdf5"),
        ("kokkos", "4.4.01", Status::Running, "cmake"),
        ("py-numpy-with-a-name-that-goes-on-and-on", "2.1.2", Status::Running, "cmake"),
        ("petsc", "3.22.2", Status::Pending, "openmpi"),
        ("slepc", "3.22.1", Status::Created, "petsc"),
        ("mfem", "4.7.0", Status::Canceled, "petsc"),
    ];
    let named = |package: &str| rows.iter().find(|r| r.0 == package).map(|r| spec(r.0, r.1)).unwrap();
    let jobs = rows.iter().zip(0..).map(|(row, n)| job(HDF5.0 - 3 + n, E4S, &named(row.0), row.2)).collect();
    let edges = rows.iter().map(|row| {
        let needs = row.3.split(' ').filter(|need| !need.is_empty());
        let needs = needs.map(|need| Need { name: named(need).as_str().into(), optional: false }).collect();
        (named(row.0).as_str().into(), needs)
    });
    (jobs, edges.collect())
}
