//! What GitLab would tell of a busy hour: twenty parent pipelines, the newest of which has 35 children with 5,000 jobs that need each other.
//! Told as events, the way the executor tells it: pages of 100.

use std::sync::Arc;
use std::time::Duration;

use stackhand::ci::{
    FailureReason, Iid, Job, JobId, JobKind, Need, Pipeline, PipelineId, RunnerId, RunnerRef, Status, Timestamp,
};
use stackhand::console::actions::{PlanId, Rules};
use stackhand::console::audit::{AuditRow, AuditState};
use stackhand::console::effect::Fetch;
use stackhand::console::event::{Event, NeedsOrigin};
use stackhand::console::polling::PollRules;
use stackhand::console::world::{Edges, World};

use super::dice::Dice;

pub const JOBS: usize = 5_000;
pub const PAGE: usize = 100;
pub const NOW: Timestamp = Timestamp::from_millis(1_795_400_000_000);
const PARENTS: u64 = 20;
const ROOT: PipelineId = PipelineId(1_082_400);
const LAYERS: usize = 14;
const MINUTE: i64 = 60_000;

const PACKAGES: [&str; 32] = [
    "gmake",
    "zlib-ng",
    "pkgconf",
    "ncurses",
    "perl",
    "openssl",
    "cmake",
    "python",
    "hwloc",
    "openmpi",
    "hdf5",
    "openblas",
    "petsc",
    "trilinos",
    "llvm",
    "py-numpy",
    "py-scipy",
    "r-ggplot2",
    "netcdf-c",
    "adios2",
    "paraview",
    "visit",
    "hypre",
    "sundials",
    "kokkos",
    "raja",
    "umpire",
    "slepc",
    "amrex",
    "gasnet",
    "legion",
    "strumpack",
];
const STACKS: [&str; 7] = ["e4s", "e4s-oneapi", "e4s-cray-rhel", "ml-linux-x86_64-cuda", "radiuss", "tutorial", "hep"];
const REASONS: [&str; 6] = [
    "script_failure",
    "runner_system_failure",
    "job_execution_timeout",
    "stuck_or_timeout_failure",
    "missing_dependency_failure",
    "api_failure",
];

/// A tree of 5,000 builds in so many children.
pub struct Tree {
    children: usize,
    /// Reads so far: each is a second later than the one before.
    reads: usize,
    tags: Arc<[Arc<str>]>,
    runners: Vec<Arc<RunnerRef>>,
}

impl Tree {
    pub fn new(children: usize) -> Self {
        let runner = |n: u64| RunnerRef {
            id: RunnerId(n),
            description: format!("runner-x86-v{}-pub-gitlab-runner-6c9f-{n:05}", n % 4).into(),
        };
        Self {
            children,
            reads: 0,
            tags: ["spack", "large", "x86_64_v3", "public"].map(Arc::from).into(),
            runners: (0..48).map(|n| Arc::new(runner(n))).collect(),
        }
    }

    /// A world that has heard of all of it.
    pub fn told(&self) -> World {
        let mut world = unread();
        for event in self.events() {
            world.update(event, NOW);
        }
        world
    }

    /// Everything, in the order in which it is read.
    pub fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::PipelinesFetched { rows: parents(), at: NOW, whole: true }, self.trigger_jobs()];
        for fetch in [Fetch::Pipelines, Fetch::TriggerJobs(ROOT)] {
            events.push(Event::Fetched { fetch, at: NOW, result: Ok(()) });
        }
        for child in 0..self.children {
            let pipeline = Self::child(child);
            let jobs: Vec<Job> = (0..self.size()).map(|n| self.job(child, n)).collect();
            let ids = jobs.iter().map(|job| job.id).collect();
            let edges = self.edges(&jobs);
            let pages = jobs.chunks(PAGE).map(|page| Event::JobsFetched { pipeline, jobs: page.to_vec(), at: NOW });
            events.extend(pages);
            events.push(Event::JobsListed { pipeline, ids: Arc::new(ids), at: NOW });
            events.push(Event::NeedsFetched { pipeline, edges, origin: NeedsOrigin::Artifact });
            for fetch in [Fetch::Jobs(pipeline), Fetch::Needs(pipeline)] {
                events.push(Event::Fetched { fetch, at: NOW, result: Ok(()) });
            }
        }
        events.push(Event::AuditListed((0..500).map(audit_row).collect()));
        events
    }

    /// The next page of 100 jobs and when it was read; so many of them have changed since the page before.
    pub fn page(&mut self, changed: usize) -> (Event, Timestamp) {
        let at = self.read();
        let (child, first) = (self.reads % self.children, self.reads / self.children * PAGE % (self.size() - PAGE + 1));
        let mut dice = Dice::new(self.reads as u64);
        let mut jobs: Vec<Job> = (first..first + PAGE).map(|n| self.job(child, n)).collect();
        for job in jobs.iter_mut().take(changed) {
            let next = [Status::Running, Status::Success, Status::Failed, Status::Pending, Status::Created];
            self.set(job, next.get(dice.below(next.len())).copied().unwrap_or(Status::Running), &mut dice);
        }
        (Event::JobsFetched { pipeline: Self::child(child), jobs, at }, at)
    }

    /// A whole listing of the next child, as it ends a read of all its pages.
    pub fn listing(&mut self) -> (Event, Timestamp) {
        let at = self.read();
        let child = self.reads % self.children;
        let ids = (0..self.size()).map(|n| self.id(child, n)).collect();
        (Event::JobsListed { pipeline: Self::child(child), ids: Arc::new(ids), at }, at)
    }

    fn read(&mut self) -> Timestamp {
        self.reads += 1;
        NOW.shifted(1_000 * self.reads as i64)
    }

    fn size(&self) -> usize {
        JOBS.div_ceil(self.children)
    }

    fn child(child: usize) -> PipelineId {
        PipelineId(ROOT.0 + 1 + child as u64)
    }

    fn id(&self, child: usize, n: usize) -> JobId {
        JobId(15_200_000 + (child * self.size() + n) as u64)
    }

    fn stack(child: usize) -> String {
        let name = STACKS.get(child % STACKS.len()).copied().unwrap_or_default();
        if child < STACKS.len() { name.to_owned() } else { format!("{name}-{}", child / STACKS.len()) }
    }

    fn trigger_jobs(&self) -> Event {
        let mut jobs = Vec::new();
        let mut children = Vec::new();
        for child in 0..self.children {
            let (id, stack) = (Self::child(child), Self::stack(child));
            let generate =
                Job::new(JobId(15_100_000 + child as u64), ROOT, &format!("{stack}-generate"), Status::Success);
            let mut trigger =
                Job::new(JobId(15_110_000 + child as u64), ROOT, &format!("{stack}-build"), Status::Running);
            trigger.kind = JobKind::Bridge;
            trigger.downstream = Some(id);
            jobs.extend([generate, trigger]);
            let mut pipeline = Pipeline::new(id, "develop", Status::Running);
            pipeline.iid = Some(Iid(id.0 - 1_000_000));
            pipeline.parent = Some(ROOT);
            pipeline.stack = Some(stack.into());
            pipeline.created_at = Some(NOW.shifted(-180 * MINUTE));
            children.push(pipeline);
        }
        Event::TriggerJobsFetched { parent: ROOT, jobs, children, at: NOW }
    }

    /// A pipeline in the middle of its life: early layers done, a front that runs, failures on the way, the rest waits.
    fn job(&self, child: usize, n: usize) -> Job {
        let id = self.id(child, n);
        let mut dice = Dice::new(id.0);
        let status = match (n * LAYERS / self.size(), dice.below(100)) {
            (0..7, 0..2) => Status::Failed,
            (0..7, _) => Status::Success,
            (7 | 8, 0..30) => Status::Running,
            (7 | 8, 30..50) => Status::Pending,
            (12.., 90..) => Status::Skipped,
            _ => Status::Created,
        };
        let package = PACKAGES.get(dice.below(PACKAGES.len())).copied().unwrap_or_default();
        let hash: String = (0..32).filter_map(|_| char::from_u32(u32::from(b'a') + dice.below(26) as u32)).collect();
        let name = format!("{package}@{}.{}.{} /{hash} {}", dice.below(9), dice.below(31), n % 7, Self::stack(child));
        let mut job = Job::new(id, Self::child(child), &name, status);
        job.stage = format!("stage-{}", n * LAYERS / self.size()).into();
        job.tags = Arc::clone(&self.tags);
        job.web_url = Some(format!("https://gitlab.spack.io/spack/spack-packages/-/jobs/{id}").into());
        job.created_at = Some(NOW.shifted(-180 * MINUTE));
        self.set(&mut job, status, &mut dice);
        job
    }

    fn set(&self, job: &mut Job, status: Status, dice: &mut Dice) {
        let ago = |minutes: usize| Some(NOW.shifted(-(minutes as i64) * MINUTE));
        job.status = status;
        (job.started_at, job.finished_at, job.runner, job.failure_reason) = (None, None, None, None);
        job.queued_at = (status == Status::Pending).then(|| ago(dice.below(90))).flatten();
        if matches!(status, Status::Running | Status::Success | Status::Failed) {
            job.started_at = ago(60 + dice.below(120));
            job.queued_duration = Some(Duration::from_secs(dice.below(900) as u64));
            job.runner = self.runners.get(dice.below(self.runners.len())).cloned();
        }
        if matches!(status, Status::Success | Status::Failed) {
            job.finished_at = ago(dice.below(60));
        }
        if status == Status::Failed {
            job.failure_reason = REASONS.get(dice.below(REASONS.len())).map(|reason| FailureReason::new(reason));
        }
    }

    /// About two needs per job, one of them in the layer before.
    fn edges(&self, jobs: &[Job]) -> Edges {
        let width = self.size().div_ceil(LAYERS);
        let needs = |n: usize| {
            let mut dice = Dice::new(n as u64 + 1);
            let start = n / width * width;
            let near = start.saturating_sub(width);
            let mut needs =
                if start == 0 { Vec::new() } else { vec![near + dice.below(start - near), dice.below(start)] };
            needs.sort_unstable();
            needs.dedup();
            let need = |job: &Job| Need { name: Arc::clone(&job.name), optional: false };
            needs.into_iter().filter_map(|need| jobs.get(need)).map(need).collect()
        };
        jobs.iter().enumerate().map(|(n, job)| (Arc::clone(&job.name), needs(n))).collect()
    }
}

/// A world in which nothing is known. It has a token: then failure reasons and runners are looked for, too.
pub fn unread() -> World {
    let poll = PollRules { token: true, ..PollRules::default() };
    World::new("gitlab.spack.io/spack/spack-packages", Rules::default(), poll)
}

fn parents() -> Vec<Pipeline> {
    let row = |n: u64| {
        let status = if n.is_multiple_of(3) { Status::Success } else { Status::Canceled };
        let mut row = Pipeline::new(PipelineId(ROOT.0 - n), &format!("pr{}_fix_{n}", 51_000 + n), status);
        if n == 0 {
            row.git_ref = "develop".into();
            row.status = Status::Running;
        }
        row.iid = Some(Iid(82_400 - n));
        row.created_at = Some(NOW.shifted(-(180 + n as i64) * MINUTE));
        row.user = Some("hmercer".into());
        row
    };
    (0..PARENTS).map(row).collect()
}

fn audit_row(n: i64) -> AuditRow {
    AuditRow {
        at: NOW.shifted(-n * MINUTE),
        who: "hmercer".into(),
        action: "jobs.retry".into(),
        plan: PlanId(format!("r-{n:04x}").into()),
        targets: n as usize % 40,
        state: if n % 4 == 0 { AuditState::Skipped } else { AuditState::Done },
        summary: "retry 12 jobs: 11 done, 1 skipped".into(),
        detail: Arc::default(),
    }
}
