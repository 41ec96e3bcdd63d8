//! The child pipeline that a generate job keeps as an artifact, as Spack writes it: sorted keys, one job per spec, and anchors for every subtree
//! that occurs more than once, so that a reader has to understand aliases.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::plan::{Access, Entry, Plan, Role};
use super::stacks::{STACKS, size};
use super::world::{Job, World};

/// Writes the child pipeline of `plan` as the generate job `job` keeps it.
pub fn write(world: &World, job: &Job, plan: &Plan) -> String {
    let pipeline = world.pipeline_of(job);
    let stack = plan.stack.and_then(|i| STACKS.get(i));
    let name = stack.map_or("none", |s| s.name);
    let mut document = Document {
        plan,
        name,
        target: stack.map_or("x86_64_v3", |s| s.target.microarchitecture()),
        image: stack.map_or("ghcr.io/spack/ubuntu-24.04:v2025-05-10", |s| s.target.image()),
        access: pipeline.access,
        git_ref: &pipeline.git_ref,
        generate: format!("job: {}\npipeline: '{}'", world.name_of(job), pipeline.id),
        uses: BTreeMap::new(),
        anchors: BTreeMap::new(),
    };
    document.count();
    document.text()
}

struct Document<'a> {
    plan: &'a Plan,
    name: &'a str,
    target: &'a str,
    image: &'a str,
    access: Access,
    git_ref: &'a str,
    /// The need that every build has: the generate job of the parent.
    generate: String,
    /// How often each subtree occurs.
    uses: BTreeMap<String, usize>,
    /// Numbers of the subtrees that have been written.
    anchors: BTreeMap<String, usize>,
}

const BEFORE: &str = "\
- export SPACK_USER_CACHE_PATH=\"${CI_PROJECT_DIR}/tmp/_user_cache/\"
- uname -a || true
- nproc || true
- curl -LSsO https://raw.githubusercontent.com/spack/spack-packages/$REMOTE_SCRIPT_REF/.ci/gitlab/scripts/common/clone_spack.sh
- echo \"$REMOTE_SCRIPT_CLONE_SPACK_SHA256  clone_spack.sh\" | sha256sum -c
- sh clone_spack.sh
- . \"${SPACK_CI_SPACK_ROOT}/share/spack/setup-env.sh\"
- spack env activate --without-view ${SPACK_CONCRETE_ENV_DIR}
- k=$CI_GPG_KEY_ROOT/e4s.gpg; [[ -r $k ]] && spack gpg trust $k";
const SCRIPT: &str = "\
- spack config blame mirrors
- spack --color=always --backtrace ci rebuild -j ${SPACK_BUILD_JOBS} --tests --timeout 300";
const AFTER: &str = "\
- cat /proc/loadavg || true
- cat /proc/meminfo | grep 'MemTotal\\|MemFree' || true";
const RETRY: &str = "\
max: 2
when:
- unknown_failure
- api_failure
- stuck_or_timeout_failure
- runner_system_failure
- runner_unsupported
- stale_schedule
- job_execution_timeout
- archived_failure
- unmet_prerequisites
- scheduler_failure
- data_integrity_failure";
const TOKENS: &str = "GITLAB_OIDC_TOKEN:\n  aud: ${OIDC_TOKEN_AUDIENCE}";

impl Document<'_> {
    /// Finds out which subtrees repeat.
    fn count(&mut self) {
        for entry in self.plan.entries.iter().filter(|e| e.role == Role::Build) {
            let needs = self.needs(entry);
            for block in
                [BEFORE.into(), SCRIPT.into(), AFTER.into(), RETRY.into(), TOKENS.into(), self.kept(), tags(entry)]
            {
                *self.uses.entry(block).or_default() += 1;
            }
            let list = listed(&needs);
            let uses = self.uses.entry(list).or_default();
            *uses += 1;
            if *uses == 1 {
                for need in needs {
                    *self.uses.entry(need).or_default() += 1;
                }
            }
        }
    }

    fn text(&mut self) -> String {
        let mut out = String::new();
        let mut keys: Vec<(&str, Option<&Entry>)> = self.plan.entries.iter().map(|e| (&*e.name, Some(e))).collect();
        keys.extend([("stages", None), ("variables", None), ("workflow", None)]);
        keys.sort_unstable_by_key(|(key, _)| *key);
        for (key, entry) in keys {
            // Writing to a String cannot fail.
            writeln!(out, "{key}:").ok();
            match (key, entry) {
                (_, Some(entry)) if entry.role == Role::Build => self.build(entry, &mut out),
                (_, Some(entry)) => self.service(entry, &mut out),
                ("stages", None) => out.extend(self.plan.stages.iter().flat_map(|stage| ["- ", &**stage, "\n"])),
                ("variables", None) => self.variables(&mut out),
                _ => out.push_str("  rules:\n  - when: always\n"),
            }
        }
        out
    }

    fn build(&mut self, entry: &Entry, out: &mut String) {
        let Some(work) = &entry.work else { return };
        let size = size(&work.package);
        out.push_str("  variables:\n");
        for (key, value) in [
            ("SPACK_CI_TARGET", self.target),
            ("CI_JOB_SIZE", size.class),
            ("SPACK_BUILD_JOBS", size.build_jobs),
            ("KUBERNETES_CPU_REQUEST", size.cpu),
            ("KUBERNETES_MEMORY_REQUEST", size.memory),
            ("CI_GPG_KEY_ROOT", "/mnt/key"),
            ("SPACK_DISABLE_LOCAL_CONFIG", "1"),
            ("SPACK_JOB_SPEC_DAG_HASH", &work.hash),
            ("SPACK_JOB_SPEC_PKG_NAME", &work.package),
            ("SPACK_JOB_SPEC_PKG_VERSION", &work.version),
            ("SPACK_JOB_SPEC_COMPILER_NAME", &work.compiler.0),
            ("SPACK_JOB_SPEC_COMPILER_VERSION", &work.compiler.1),
            ("SPACK_JOB_SPEC_ARCH", &work.arch),
            ("SPACK_JOB_SPEC_VARIANTS", &work.variants),
            ("SPACK_SPEC_NEEDS_REBUILD", "True"),
        ] {
            writeln!(out, "    {key}: {}", scalar(value)).ok();
        }
        for (key, block) in [
            ("before_script", BEFORE),
            ("script", SCRIPT),
            ("after_script", AFTER),
            ("id_tokens", TOKENS),
            ("retry", RETRY),
        ] {
            self.block(key, block, out);
        }
        writeln!(out, "  image: {}", self.image).ok();
        self.block("tags", &tags(entry), out);
        self.write_needs(entry, out);
        self.block("artifacts", &self.kept(), out);
        writeln!(out, "  stage: {}\n  interruptible: true", self.plan.stage(entry)).ok();
    }

    /// One key with a subtree: in full, in full with an anchor, or as an alias.
    fn block(&mut self, key: &str, block: &str, out: &mut String) {
        match self.mark(block) {
            Mark::Alias(n) => writeln!(out, "  {key}: *id{n:03}").ok(),
            Mark::Anchor(n) => writeln!(out, "  {key}: &id{n:03}\n{}", indent(block, "  ", "    ")).ok(),
            Mark::Plain => writeln!(out, "  {key}:\n{}", indent(block, "  ", "    ")).ok(),
        };
    }

    fn mark(&mut self, block: &str) -> Mark {
        if let Some(number) = self.anchors.get(block) {
            return Mark::Alias(*number);
        }
        if self.uses.get(block).is_none_or(|uses| *uses < 2) {
            return Mark::Plain;
        }
        let number = self.anchors.len() + 1;
        self.anchors.insert(block.to_owned(), number);
        Mark::Anchor(number)
    }

    /// The needs of a build, each as the lines of a map.
    fn needs(&self, entry: &Entry) -> Vec<String> {
        let mut names: Vec<&str> = entry.needs.iter().flatten().map(|n| &*self.plan.entry(*n).name).collect();
        names.sort_unstable();
        let jobs = names.into_iter().map(|name| format!("job: {name}\nartifacts: false"));
        jobs.chain([self.generate.clone()]).collect()
    }

    fn write_needs(&mut self, entry: &Entry, out: &mut String) {
        let needs = self.needs(entry);
        match self.mark(&listed(&needs)) {
            Mark::Alias(n) => {
                writeln!(out, "  needs: *id{n:03}").ok();
                return;
            }
            Mark::Anchor(n) => writeln!(out, "  needs: &id{n:03}").ok(),
            Mark::Plain => writeln!(out, "  needs:").ok(),
        };
        for need in needs {
            match self.mark(&need) {
                Mark::Alias(n) => writeln!(out, "  - *id{n:03}").ok(),
                Mark::Anchor(n) => writeln!(out, "  - &id{n:03}\n{}", indent(&need, "    ", "    ")).ok(),
                Mark::Plain => writeln!(out, "  - {}", need.replace('\n', "\n    ")).ok(),
            };
        }
    }

    /// The artifacts of a build.
    fn kept(&self) -> String {
        let root = format!("jobs_scratch_dir/{}", self.name);
        format!("when: always\npaths:\n- {root}/logs\n- {root}/reproduction\n- {root}/tests\n- {root}/user_data")
    }

    fn service(&mut self, entry: &Entry, out: &mut String) {
        let script = match (entry.role, self.access) {
            (Role::Sign, _) => "/sign.sh".to_owned(),
            (_, Access::Protected) => {
                format!("spack buildcache update-index --keys s3://spack-binaries/develop/{}", self.name)
            }
            (_, Access::Public) => {
                format!("spack buildcache update-index --keys s3://spack-binaries-prs/{}/{}", self.git_ref, self.name)
            }
        };
        writeln!(
            out,
            "  tags: [{}]\n  script:\n  - {}\n  stage: {}\n  when: always\n  retry:\n    max: 2\n    when:\n    - always\n  interruptible: true\n  \
             dependencies: []",
            entry.tags.join(", "),
            scalar(&script),
            self.plan.stage(entry)
        )
        .ok();
    }

    fn variables(&self, out: &mut String) {
        let root = format!("jobs_scratch_dir/{}", self.name);
        let (kind, signing) = match self.access {
            Access::Protected => ("PROTECTED_BRANCH", "True"),
            Access::Public => ("PULL_REQUEST", "False"),
        };
        for (key, value) in [
            ("SPACK_ARTIFACTS_ROOT", &*root),
            ("SPACK_CONCRETE_ENV_DIR", &format!("{root}/concrete_environment")),
            ("SPACK_VERSION", "1.2.0.dev0 (9cf66332df3dd988248617fc93400045be59ebab)"),
            ("SPACK_JOB_LOG_DIR", &format!("{root}/logs")),
            ("SPACK_JOB_REPRO_DIR", &format!("{root}/reproduction")),
            ("SPACK_JOB_TEST_DIR", &format!("{root}/tests")),
            ("SPACK_PIPELINE_TYPE", kind),
            ("SPACK_CI_STACK_NAME", self.name),
            ("SPACK_REBUILD_CHECK_UP_TO_DATE", "True"),
            ("SPACK_REBUILD_EVERYTHING", "False"),
            ("SPACK_REQUIRE_SIGNING", signing),
        ] {
            writeln!(out, "  {key}: {}", scalar(value)).ok();
        }
    }
}

/// A list of needs, told apart from its only need.
fn listed(needs: &[String]) -> String {
    format!("[{}]", needs.join("\n"))
}

enum Mark {
    Plain,
    Anchor(usize),
    Alias(usize),
}

fn tags(entry: &Entry) -> String {
    entry.tags.iter().map(|tag| format!("- {tag}")).collect::<Vec<_>>().join("\n")
}

/// Indents a block: lists as deep as their key, as Spack does, maps one step deeper.
fn indent(block: &str, list: &str, map: &str) -> String {
    let margin = if block.starts_with("- ") { list } else { map };
    block.lines().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n")
}

/// Quotes what YAML would not read as text.
fn scalar(text: &str) -> String {
    let like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.chars().all(|c| "0123456789._:-eE+".contains(c));
    let like_a_word =
        ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text.to_lowercase().as_str());
    let odd = text.is_empty()
        || text.contains(": ")
        || text.contains(" #")
        || text.starts_with(['!', '&', '*', '-', '?', '|', '>', '%', '@', '{', '[', '#', '\'', '"']);
    if like_a_number || like_a_word || odd { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::Status;
    use crate::sandbox::Scenario;
    use crate::sandbox::world::OPENING;

    #[test]
    fn the_document_repeats_nothing_that_it_can_point_to() {
        let mut world = World::new(42, Scenario::Busy, 1_200).unwrap();
        world.advance_to(OPENING);
        let is_e4s = |j: &&Job| &**world.name_of(j) == "e4s-generate" && j.status == Status::Success;
        let job = world.jobs().find(is_e4s).unwrap();
        let yaml = write(&world, job, world.generated(job).unwrap());
        assert_eq!(yaml.matches("- unknown_failure").count(), 1);
        assert!(yaml.matches(": *id").count() > 100 && yaml.matches("\n  - *id").count() > 100);
        let keys: Vec<&str> = yaml.lines().filter(|l| !l.starts_with([' ', '-'])).collect();
        assert!(keys.is_sorted(), "top-level keys are sorted by bytes");
    }

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        for (text, want) in [
            ("2.72", "'2.72'"),
            ("1.3.1", "'1.3.1'"),
            ("True", "'True'"),
            ("gcc", "gcc"),
            ("~cuda+mpi api=x", "~cuda+mpi api=x"),
            ("4000m", "4000m"),
        ] {
            assert_eq!(scalar(text), want);
        }
    }
}
