//! What jobs write: their logs, made when somebody asks.
//!
//! A log is never stored. It follows from the job alone, so the log of a running job is a growing prefix of the one it will have at its end.
//! Failures speak with the texts of [`super::mishaps`]; everything else is written here in the form that gitlab-runner and Spack have.

use std::fmt::Write;

use crate::ci::{Status, Timestamp};

use super::mishaps::Mishap;
use super::plan::{Access, Entry, Role};
use super::rng::Rng;
use super::stacks::STACKS;
use super::world::{Job, LogBody, World};

const CYAN: &str = "\u{1b}[0K\u{1b}[36;1m";
const GREEN: &str = "\u{1b}[32;1m";
const RED: &str = "\u{1b}[31;1m";
const OFF: &str = "\u{1b}[0;m";
const ARROW: &str = "\u{1b}[1;34m==>\u{1b}[0m";

/// Adds formatted words to a text. Writing to a `String` cannot fail.
macro_rules! say {
    ($text:ident, $($words:tt)*) => {
        $text.write_fmt(format_args!($($words)*)).ok()
    };
}

/// The log of a job as it is now; `None` when there is none.
pub fn trace(world: &World, job: &Job) -> Option<LogBody> {
    if job.erased_at.is_some() {
        return None;
    }
    if let Some(body) = world.injected_log(job.id) {
        return Some(body.clone());
    }
    let started = job.started_at?;
    let length = job.planned_end?.since(started).as_millis() as u64;
    let lines = Writer::of(world, job).lines();
    let ended = job.finished_at.filter(|_| job.status.is_terminal());
    let elapsed = ended.unwrap_or_else(|| world.now()).since(started).as_millis() as u64;
    let whole = matches!(job.status, Status::Success | Status::Failed);
    let mut log = String::new();
    let count = lines.len().max(1) as u64;
    for (i, line) in (1..).zip(&lines) {
        // The last line comes with the end, the first one soon after the start.
        let at = length * i / count;
        if !whole && at > elapsed {
            break;
        }
        stamp(line, started.shifted(at as i64), &mut log);
    }
    if job.status == Status::Canceled {
        say!(log, "\n{RED}ERROR: Job failed: canceled\n{OFF}\n");
    }
    Some(LogBody::Bytes(log.into_bytes().into()))
}

/// About how long the log will be, for the lists that name its size: nobody pays for writing it there.
pub fn estimated_size(job: &Job) -> u64 {
    match (job.started_at, job.finished_at) {
        (Some(start), Some(end)) => 4_200 + end.since(start).as_secs() * 48,
        _ => 0,
    }
}

/// Writes one line with every stamp in it moved to `at`.
fn stamp(line: &str, at: Timestamp, out: &mut String) {
    let mut rest = line;
    // `2026-03-14T03:00:00.000000Z 01O `: the time stamps that newer runners put before each line.
    if rest.get(19..20) == Some(".") && rest.get(26..29) == Some("Z 0") && rest.starts_with("20") {
        let text = at.to_string();
        out.push_str(text.trim_end_matches('Z'));
        out.push_str("000");
        rest = rest.get(26..).unwrap_or_default();
    }
    loop {
        let found = ["section_start:", "section_end:"].iter().filter_map(|m| rest.find(m).map(|i| i + m.len())).min();
        let Some((before, after)) = found.and_then(|i| rest.split_at_checked(i)) else { break };
        out.push_str(before);
        out.push_str(&(at.millis() / 1_000).to_string());
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
}

/// Everything that the text of one job depends on.
struct Writer<'a> {
    world: &'a World,
    job: &'a Job,
    entry: &'a Entry,
    stack: &'static str,
    git_ref: &'a str,
    sha: &'a str,
    runner: &'a str,
    /// The pod or working directory that the job runs in.
    pod: String,
    dice: Rng,
}

impl<'a> Writer<'a> {
    fn of(world: &'a World, job: &'a Job) -> Self {
        let pipeline = world.pipeline_of(job);
        let entry = world.entry_of(job);
        let in_name = entry.name.strip_suffix("-generate");
        let of_plan = pipeline.plan.stack.and_then(|i| STACKS.get(i)).map(|s| s.name);
        let of_name = STACKS.iter().map(|s| s.name).find(|name| Some(*name) == in_name);
        let runner = job.runner.and_then(|i| world.runners().get(i));
        let mut dice = world.dice("log", job.id);
        let token = runner.map_or("unknown", |r| &r.token).to_lowercase();
        Self {
            world,
            job,
            entry,
            stack: of_plan.or(of_name).unwrap_or("none"),
            git_ref: &pipeline.git_ref,
            sha: pipeline.commit.sha.get(..8).unwrap_or_default(),
            runner: runner.map_or("unknown", |r| &r.description),
            pod: format!("runner-{token}-project-57-concurrent-{}-{}", dice.below(20), dice.suffix(8)),
            dice,
        }
    }

    /// The lines of the whole log, each with its line end.
    fn lines(mut self) -> Vec<String> {
        let text = match self.job.mishap {
            Some(mishap) => self.put_in_mouth(mishap.get()),
            None => self.success(),
        };
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    /// The text of a known failure, about this job.
    fn put_in_mouth(&mut self, mishap: &Mishap) -> String {
        let (package, version, hash, stack) = mishap.about;
        let mut text = mishap.text();
        if let Some(work) = &self.entry.work {
            text = text.replace(hash, &work.hash);
            if let (Some(old), Some(new)) = (hash.get(..7), work.hash.get(..7)) {
                text = text.replace(&format!("/{old} "), &format!("/{new} "));
            }
            text = text.replace(&format!("{package}@{version}"), &format!("{}@{}", work.package, work.version));
            text = text.replace(&format!("{package}-{version}"), &format!("{}-{}", work.package, work.version));
            text = replace_word(&text, package, &work.package);
        }
        text = text.replace(&format!("/{stack}/"), &format!("/{}/", self.stack));
        text = replace_after(&text, "Checking out ", ' ', self.sha);
        text = replace_after(&text, "(ref is ", ')', self.git_ref);
        text = replace_after(&text, "  on ", ' ', self.runner);
        text = replace_after(&text, " via ", '.', self.runner);
        text = replace_after(&text, "/projects/57/jobs/", '/', &self.job.id.to_string());
        match text.split_once("pod pipeline/").and_then(|(_, after)| after.split_once(' ')) {
            Some((pod, _)) => text.replace(pod, &self.pod),
            None => text,
        }
    }

    fn success(&mut self) -> String {
        let mut text = self.opening();
        match self.entry.role {
            Role::Build => self.build(&mut text),
            Role::Generate => self.generate(&mut text),
            Role::Reindex => self.reindex(&mut text),
            Role::Sign => {
                say!(text, "{GREEN}$ /sign.sh{OFF}\n{ARROW} Signing spec manifests of {}\n", self.stack);
                for n in 1..=12 {
                    say!(text, "signed batch {n}/12\n");
                }
            }
            Role::Dotenv => text.push_str(
                &[
                    GREEN,
                    "$ sha256sum -c digest.txt",
                    OFF,
                    "\ndotenv.sh: OK\n",
                    GREEN,
                    "$ sh dotenv.sh .ci/env > env",
                    OFF,
                    "\n",
                ]
                .concat(),
            ),
            Role::Placeholder | Role::Trigger => {
                say!(
                    text,
                    "{GREEN}$ echo \"Nothing that CI builds has changed.\"{OFF}\nNothing that CI builds has changed.\n"
                );
            }
        }
        self.closing(&mut text);
        text
    }

    fn opening(&mut self) -> String {
        let runner = self.job.runner.and_then(|i| self.world.runners().get(i));
        let (token, system, executor) =
            runner.map_or(("unknown", "unknown", "kubernetes"), |r| (&r.token, &r.system_id, r.executor));
        let mut text = format!(
            "\u{1b}[0KRunning with gitlab-runner 19.2.0 (4d2a6c1b){OFF}\n\u{1b}[0K  on {} {token}, system ID: {system}{OFF}\n",
            self.runner
        );
        start(&mut text, "prepare_executor", &format!("Preparing the \"{executor}\" executor"));
        if executor == "kubernetes" {
            let image =
                self.world.pipeline_of(self.job).plan.stack.and_then(|i| STACKS.get(i)).map(|s| s.target.image());
            say!(
                text,
                "\u{1b}[0KUsing Kubernetes namespace: pipeline{OFF}\n\u{1b}[0KUsing Kubernetes executor with image {} ...{OFF}\n\
                 \u{1b}[0KUsing attach strategy to execute scripts...{OFF}\n",
                image.unwrap_or("ghcr.io/spack/ubuntu20.04-runner-x86_64:2023-01-01")
            );
        }
        next(&mut text, "prepare_executor", "prepare_script", "Preparing environment");
        for _ in 0..=self.dice.below(4) {
            say!(text, "Waiting for pod pipeline/{} to be running, status is Pending\n", self.pod);
        }
        say!(text, "Running on {} via {}...\n\n", self.pod, self.runner);
        next(&mut text, "prepare_script", "get_sources", "Getting source from Git repository");
        say!(
            text,
            "{GREEN}Fetching changes with git depth set to 20...{OFF}\nInitialized empty Git repository in /builds/spack/spack-packages/.git/\n\
             {GREEN}Created fresh repository.{OFF}\n{GREEN}Checking out {} as detached HEAD (ref is {})...{OFF}\n\n\
             {GREEN}Skipping Git submodules setup{OFF}\n",
            self.sha,
            self.git_ref
        );
        next(&mut text, "get_sources", "step_script", "Executing \"step_script\" stage of the job script");
        say!(
            text,
            "{GREEN}$ uname -a || true{OFF}\nLinux {} 6.1.152-128.amzn2023.x86_64 #1 SMP PREEMPT_DYNAMIC GNU/Linux\n",
            self.pod
        );
        say!(text, "{GREEN}$ nproc || true{OFF}\n{}\n", 1 << (2 + self.dice.below(4)));
        text
    }

    fn spack(&mut self, text: &mut String) {
        let head = self.dice.hex(40);
        say!(
            text,
            "{GREEN}$ sh clone_spack.sh{OFF}\nHEAD is now at {} ci: pin images\n{GREEN}$ . \"${{SPACK_CI_SPACK_ROOT}}/share/spack/setup-env.sh\"{OFF}\n\
             {GREEN}$ spack --version{OFF}\n1.2.0.dev0 ({head})\n{GREEN}$ spack arch{OFF}\n{}\n",
            head.get(..10).unwrap_or_default(),
            self.entry.work.as_ref().map_or("linux-ubuntu22.04-x86_64_v3", |w| &w.arch)
        );
    }

    fn build(&mut self, text: &mut String) {
        self.spack(text);
        let Some(work) = &self.entry.work else { return };
        say!(
            text,
            "{GREEN}$ spack env activate --without-view ${{SPACK_CONCRETE_ENV_DIR}}{OFF}\n\
             {GREEN}$ spack --color=always --backtrace ci rebuild -j ${{SPACK_BUILD_JOBS}} --tests --timeout 300{OFF}\n"
        );
        let cache = match self.world.pipeline_of(self.job).access {
            Access::Protected => format!("https://binaries.spack.io/develop/{}", self.stack),
            Access::Public => format!("https://binaries-prs.spack.io/{}/{}", self.git_ref, self.stack),
        };
        let plan = &self.world.pipeline_of(self.job).plan;
        let needs: Vec<&Entry> = self.entry.needs.iter().flatten().map(|n| plan.entry(*n)).collect();
        let total = needs.len() + 1;
        for (n, need) in (1..).zip(needs.iter().filter_map(|e| e.work.as_ref())) {
            let spec = format!("{}-{}-{}", need.package, need.version, need.hash);
            let blob = self.dice.hex(62);
            say!(
                text,
                "{ARROW} Installing {spec} [{n}/{total}]\n{ARROW} Fetching {cache}/blobs/sha256/{}/{blob}\n\
                 {ARROW} Extracting {spec} from binary cache\n\u{1b}[1;32m[+]\u{1b}[0m /home/software/spack/__spack_path_placeholder__/{}/{spec}\n",
                blob.get(..2).unwrap_or_default(),
                need.arch
            );
        }
        let spec = format!("{}-{}-{}", work.package, work.version, work.hash);
        let blob = self.dice.hex(62);
        say!(
            text,
            "{ARROW} Installing {spec} [{total}/{total}]\n{ARROW} Fetching https://mirror.spack.io/_source-cache/archive/{}/{blob}.tar.gz\n\
             {ARROW} No patches needed for {}\n",
            blob.get(..2).unwrap_or_default(),
            work.package
        );
        let seconds =
            self.job.planned_end.zip(self.job.started_at).map_or(60, |(end, start)| end.since(start).as_secs());
        let steps = (seconds / 2).clamp(12, 2_500);
        for (phase, share) in phases(&work.variants) {
            say!(text, "{ARROW} {}: Executing phase: '{phase}'\n", work.package);
            let count = (steps * share / 100).max(1);
            for n in 0..count {
                text.push_str(&self.dice_line(phase, n * 100 / count));
            }
        }
        say!(
            text,
            "{ARROW} {}: Successfully installed {spec}\n{ARROW} Pushed {}@{}/{} to {}\n",
            work.package,
            work.package,
            work.version,
            work.hash.get(..7).unwrap_or_default(),
            cache.replace("https://binaries", "s3://spack-binaries").replace(".spack.io", "")
        );
    }

    fn dice_line(&mut self, phase: &str, percent: u64) -> String {
        const WORDS: &[&str] = &[
            "alloc", "comm", "core", "graph", "grid", "hash", "io", "krylov", "mesh", "queue", "reader", "solver",
            "tensor", "util", "writer",
        ];
        let (a, b) = (*self.dice.pick(WORDS, &"core"), *self.dice.pick(WORDS, &"util"));
        if self.dice.chance(0.02) {
            return format!(
                "../src/{a}/{b}.cpp:{}:{}: warning: unused variable '{a}{percent}' [-Wunused-variable]\n",
                20 + percent * 7,
                5 + percent % 60
            );
        }
        match phase {
            "configure" | "autoreconf" => {
                format!("checking for {a}_{b}... {}\n", self.dice.pick(&["yes", "no", "(cached) yes"], &"yes"))
            }
            "cmake" => format!("-- Performing Test HAVE_{}_{} - Success\n", a.to_uppercase(), b.to_uppercase()),
            "install" => format!("-- Installing: include/{a}/{b}.h\n"),
            _ => format!(
                "[{percent:>3}%] \u{1b}[32mBuilding CXX object src/{a}/CMakeFiles/{a}_{b}.dir/{b}_{percent}.cpp.o\u{1b}[0m\n"
            ),
        }
    }

    fn generate(&mut self, text: &mut String) {
        self.spack(text);
        let plan = self.world.generated(self.job);
        let specs = plan.map_or(0, |plan| plan.entries.iter().filter(|e| e.role == Role::Build).count());
        let stack = self.stack;
        say!(
            text,
            "{GREEN}$ spack audit configs{OFF}\n{ARROW} PKG-PROPERTIES: 0 issues found.\n\
             {GREEN}$ spack -v --color=always ci generate --check-index-only -j ${{SPACK_CONCRETIZE_JOBS}} --output-file \
             \"${{CI_PROJECT_DIR}}/jobs_scratch_dir/${{SPACK_CI_STACK_NAME}}/cloud-ci-pipeline.yml\"{OFF}\n\
             {ARROW} Concretizing specs for {stack}\n"
        );
        for (n, work) in (1..).zip(plan.iter().flat_map(|p| &p.entries).filter_map(|e| e.work.as_ref())) {
            say!(
                text,
                "{ARROW} Concretized {n} of {specs}: {}@{} /{}\n",
                work.package,
                work.version,
                work.hash.get(..7).unwrap_or_default()
            );
        }
        say!(
            text,
            "{ARROW} Generating {specs} build jobs\n{ARROW} Wrote jobs_scratch_dir/{stack}/cloud-ci-pipeline.yml\n"
        );
    }

    fn reindex(&mut self, text: &mut String) {
        self.spack(text);
        let target = match self.world.pipeline_of(self.job).access {
            Access::Protected => format!("s3://spack-binaries/develop/{}", self.stack),
            Access::Public => format!("s3://spack-binaries-prs/spack-packages/{}/{}", self.git_ref, self.stack),
        };
        say!(text, "{GREEN}$ spack buildcache update-index --keys {target}{OFF}\n");
        for n in 1..=8 {
            say!(text, "{ARROW} Fetched {} of 4000 spec manifests\n", n * 500);
        }
        say!(text, "{ARROW} Pushed index to {target}/v3/manifests/index/index.manifest.json\n");
    }

    fn closing(&mut self, text: &mut String) {
        next(text, "step_script", "after_script", "Running after_script");
        say!(
            text,
            "{GREEN}Running after script...{OFF}\n{GREEN}$ cat /proc/loadavg || true{OFF}\n{}.{:02} 3.40 3.55 2/430 9981\n",
            self.dice.below(12),
            self.dice.below(100)
        );
        next(text, "after_script", "upload_artifacts_on_success", "Uploading artifacts for successful job");
        say!(
            text,
            "{GREEN}Uploading artifacts...{OFF}\njobs_scratch_dir: found {} matching artifact files and directories{OFF} \n\
             Uploading artifacts as \"archive\" to coordinator... 201 Created{OFF}  id{OFF}={} responseStatus{OFF}=201 Created\n",
            self.dice.between(6, 90),
            self.job.id
        );
        next(
            text,
            "upload_artifacts_on_success",
            "cleanup_file_variables",
            "Cleaning up project directory and file based variables",
        );
        say!(text, "section_end:0:cleanup_file_variables\r\u{1b}[0K\n{GREEN}Job succeeded{OFF}\n");
    }
}

/// The phases of a build system with their share of the lines.
fn phases(variants: &str) -> &'static [(&'static str, u64)] {
    if variants.contains("build_system=cmake") {
        &[("cmake", 15), ("build", 75), ("install", 10)]
    } else if variants.contains("build_system=autotools") {
        &[("autoreconf", 5), ("configure", 35), ("build", 50), ("install", 10)]
    } else if variants.contains("build_system=python_pip") || variants.contains("build_system=generic") {
        &[("install", 100)]
    } else {
        &[("edit", 2), ("build", 83), ("install", 15)]
    }
}

fn start(text: &mut String, section: &str, title: &str) {
    say!(text, "section_start:0:{section}\r\u{1b}[0K{CYAN}{title}{OFF}{OFF}\n");
}

fn next(text: &mut String, over: &str, section: &str, title: &str) {
    say!(text, "section_end:0:{over}\r\u{1b}[0K");
    start(text, section, title);
}

/// Replaces what stands between a marker and a closing character, once.
fn replace_after(text: &str, marker: &str, close: char, with: &str) -> String {
    let Some((before, rest)) = text.split_once(marker) else { return text.to_owned() };
    let Some(end) = rest.find(close) else { return text.to_owned() };
    format!("{before}{marker}{with}{}", rest.get(end..).unwrap_or_default())
}

/// Replaces a name where it stands alone: not inside a longer word or another package's name.
fn replace_word(text: &str, word: &str, with: &str) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, tail) = rest.split_at(at);
        let after = tail.get(word.len()..).unwrap_or_default();
        let alone = !before.ends_with(inside) && !after.starts_with(inside);
        out.push_str(before);
        out.push_str(if alone { with } else { word });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Scenario;
    use crate::sandbox::world::OPENING;

    fn text(world: &World, job: &Job) -> String {
        match trace(world, job) {
            Some(LogBody::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn night() -> World {
        let mut world = World::new(42, Scenario::Busy, 1_200).unwrap();
        world.advance_to(OPENING);
        world
    }

    #[test]
    fn the_log_of_a_running_job_only_grows() {
        let mut world = night();
        let running = world.jobs().filter(|j| j.status == Status::Running && j.mishap.is_none());
        let id = running.max_by_key(|j| j.planned_end).unwrap().id;
        let mut before = String::new();
        let mut lengths = Vec::new();
        for step in 1..60 {
            world.advance_to(OPENING.shifted(step * 10_000));
            let now = text(&world, world.job(id).unwrap());
            assert!(now.starts_with(&before), "the log was rewritten at step {step}");
            lengths.push(now.len());
            before = now;
        }
        lengths.dedup();
        assert!(lengths.len() > 5);
    }

    #[test]
    fn a_failed_job_tells_its_own_story_with_the_known_cause() {
        let world = night();
        for job in world.jobs().filter(|j| j.failure().is_some()) {
            let log = text(&world, job);
            let mishap = job.failure().unwrap().get();
            let entry = world.entry_of(job);
            if let Some(work) = &entry.work {
                assert!(!log.contains(mishap.about.2), "{}: a foreign hash", mishap.cause);
                let foreign = format!("{}@{}", mishap.about.0, mishap.about.1);
                let own = format!("{}@{}", work.package, work.version);
                assert!(own.starts_with(&foreign) || !log.contains(&foreign), "{}: a foreign spec", mishap.cause);
            }
            let first = log.split("section_start:").nth(1).unwrap().split(':').next().unwrap();
            let stamped: i64 = first.parse().unwrap();
            assert!(
                stamped >= job.started_at.unwrap().millis() / 1_000
                    && stamped <= job.finished_at.unwrap().millis() / 1_000
            );
        }
    }

    #[test]
    fn a_success_is_closed_and_its_sections_are_paired() {
        let world = night();
        let job = world.jobs().rfind(|j| j.status == Status::Success && world.entry_of(j).work.is_some()).unwrap();
        let log = text(&world, job);
        assert!(log.ends_with("Job succeeded\u{1b}[0;m\n"), "{}", &log[log.len() - 200..]);
        assert_eq!(log.matches("section_start:").count(), log.matches("section_end:").count());
        assert!(!log.contains("section_start:0:"));
        assert!(log.contains(&*world.entry_of(job).work.as_ref().unwrap().hash));
    }

    #[test]
    fn a_canceled_log_ends_where_it_was_stopped() {
        let mut world = night();
        let id = world
            .jobs()
            .find(|j| j.status == Status::Running && j.planned_end.is_some() && j.mishap.is_none())
            .unwrap()
            .id;
        let before = text(&world, world.job(id).unwrap());
        world.cancel_job(id, false).unwrap();
        world.advance_to(OPENING.shifted(30_000));
        let after = text(&world, world.job(id).unwrap());
        assert!(after.starts_with(&before) && after.contains("canceled") && !after.contains("Job succeeded"));
    }

    #[test]
    fn words_are_replaced_alone() {
        assert_eq!(
            replace_word("raja: x/raja/y rajab py-raja raja-perf raja", "raja", "zfp"),
            "zfp: x/zfp/y rajab py-raja raja-perf zfp"
        );
        assert_eq!(replace_after("a (ref is pr1_x)...", "(ref is ", ')', "develop"), "a (ref is develop)...");
    }
}
