//! stackhand: the console that a Spack CI on-call engineer opens first. This page is the map of the house.
//!
//! # Rooms
//!
//! * Nouns, what exists: [`spack`], [`ci`], [`forge`]. Pure.
//! * Judgements, what follows from what exists: [`generation`] makes child pipelines, [`taxonomy`] says why jobs failed, [`cache`] how
//!   big and healthy the binary caches are and what could go, [`fleet`] why nothing starts, what is sick and what it costs, [`bridge`] what
//!   goes from GitHub to GitLab and which statuses come back. Pure.
//! * The console's mind: [`console`] holds the `World` of known facts, turns an `Event` into changes and `Effect`s, and owns the one road of
//!   actions (plan → guard → hold → waves → outcome → audit). Pure.
//! * The outside: [`adapters`] (GitLab, GitHub, mirrors, Kubernetes, Prometheus, Alertmanager, gpg, git, the store, the clock, the
//!   terminal), and [`controller`], which runs the dispatcher and the executor.
//! * Faces: [`tui`] draws, [`cli`] prints, [`config`] tells both what the user wants.
//! * The practice world: [`sandbox`], an embedded GitLab, GitHub, S3 and Kubernetes API on loopback that `stackhand demo` and most tests talk to.
//!
//! Who may know whom is written once, in `tests/architecture.rs`.
//!
//! # Glossary
//!
//! One word, one meaning, in code, keys, help and documents.
//!
//! * **spec**: one concrete package with version, variants and compiler; its **hash** is Spack's 32-character DAG hash.
//! * **seal**: what the hash of a spec says about the rest of it: intact, forged, or unprovable.
//! * **stack**: one Spack environment that CI builds; one child pipeline per stack.
//! * **pipeline**: what GitLab runs for a commit. A *parent* has generate and trigger jobs; each trigger job starts a *child*.
//! * **job**: one run of one entry of a pipeline. A retry makes a new job with a new id.
//! * **needs**: the edges between jobs; a job starts when all jobs that it needs have succeeded.
//! * **blocked**: waits for a job that failed. **blocks**: how many jobs wait for this one.
//! * **runner**: a registration that takes jobs whose tags it carries.
//! * **class** of runners: the runners of one release, or one host. **slots**: how many jobs it runs at once.
//! * **pool**: what Karpenter may make nodes of. **claim**: its order of one machine. **reclaim**: the cloud takes a spot machine back.
//! * **place**: a job with its pod, node, claim, pool, price, spec and runner. **gap**: why one of them is missing.
//! * **cause**: why a job failed, with its evidence.
//! * **class**: a kind of cause, by a rule. **signature**: what equal failures have in common, known or not.
//! * **fresh**: every remote fact carries when it was read, how complete it is, and the last error. Unknown is never zero.
//! * **plan**: ids *and* states as shown, before anything is sent. **hold**: the time in which a confirmed plan can be undone. **wave**: how
//!   many of its targets are sent at once.
//! * **root**: a prefix at which one binary cache lies. **hole**: a spec without its binary. **orphan**: a blob that no manifest names.
//! * **bridge**: what carries pull requests, protected branches and tags from GitHub to GitLab, and statuses back. Never a trigger job.
//! * **head**: the newest commit of a pull request. **test merge**: GitHub's own merge of it. **tested**: GitLab's pipeline of a commit has ended.
//! * **verdict**: what happens to something (push, pushed, wait, refuse, look). **reason**: why; the verdict follows from it.
//! * **want**: a fact that a decision waits for. **trouble**: what failed, and until when it is left alone.
//! * **pass**: one round of the bridge over everything. **replay**: a recorded pass, decided again.
//! * **delivery**: what one webhook tells, once. **inbox**: deliveries in the store. **wake**: a pass is due because some came in.
//! * **commit status**: what one context says about a commit on GitHub; a **check** is what another service says.
//! * **loop**: a supervised task of the controller; **round**: one run of it. **lead**: the right to act, which one daemon has; the others
//!   **stand by**. **attach**: to show the world of a daemon, and act through it. **audit**: the append-only record of every action.

pub mod adapters;
pub mod bridge;
pub mod cache;
pub mod ci;
pub mod cli;
pub mod config;
pub mod console;
pub mod controller;
pub mod fleet;
pub mod forge;
pub mod generation;
pub mod sandbox;
pub mod spack;
pub mod taxonomy;
pub mod tui;
