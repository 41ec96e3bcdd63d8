//! Every family that we export, as data: the one place where their names, kinds, labels and limits are written.
//!
//! There is no label for a job, a pod, a pipeline or a pull request, and there never will be: each would be a series for good. Packages are
//! the 50 dearest and `other`; refs are kinds (`pr`, `develop`, `release`, `tag`, `staging`).

use super::exposition::Kind;

/// A family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Declared {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub labels: &'static [&'static str],
    /// Upper limits of a histogram, without the infinite one.
    pub buckets: &'static [f64],
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Declared {
    Declared { name, kind: Kind::Gauge, help, labels, buckets: &[] }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Declared {
    Declared { name, kind: Kind::Counter, help, labels, buckets: &[] }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    buckets: &'static [f64],
    help: &'static str,
) -> Declared {
    Declared { name, kind: Kind::Histogram, help, labels, buckets }
}

const REQUEST: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const WRITE: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
const QUEUE: &[f64] = &[5.0, 15.0, 60.0, 180.0, 300.0, 600.0, 1200.0, 3600.0, 7200.0];
const JOB: &[f64] = &[30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0];

/// By name.
pub const FAMILIES: &[Declared] = &[
    counter("process_cpu_seconds_total", &[], "Processor time of this process."),
    gauge("process_open_fds", &[], "Open file descriptors of this process."),
    gauge("process_resident_memory_bytes", &[], "Resident memory of this process."),
    gauge("process_start_time_seconds", &[], "When this process started, since the Unix epoch."),
    counter("stackhand_actions_total", &["action", "outcome"], "Actions that were sent, by outcome."),
    gauge("stackhand_alerts", &["source", "severity", "state"], "Alerts, by who raises them."),
    gauge("stackhand_bridge_oldest_unsynced_seconds", &[], "How long the oldest head waits for GitLab."),
    gauge(
        "stackhand_bridge_oldest_untold_seconds",
        &[],
        "How long the oldest end of a pipeline is not told to GitHub.",
    ),
    gauge("stackhand_bridge_pull_requests", &["verdict", "reason"], "Open pull requests, by what the bridge decided."),
    gauge("stackhand_build_info", &["version", "revision"], "Always 1; which stackhand this is."),
    gauge("stackhand_cache_bytes", &["mirror", "stack"], "Bytes in a binary cache."),
    gauge("stackhand_cache_index_age_seconds", &["mirror", "stack"], "Age of the index of a binary cache."),
    gauge("stackhand_cache_objects", &["mirror", "stack"], "Objects in a binary cache."),
    counter("stackhand_ci_failures_total", &["class", "infrastructure"], "Jobs that failed, by class of cause."),
    histogram("stackhand_ci_job_duration_seconds", &["runner_class", "size"], JOB, "How long finished jobs ran."),
    histogram(
        "stackhand_ci_job_queue_duration_seconds",
        &["runner_class"],
        QUEUE,
        "How long jobs waited for a runner.",
    ),
    gauge("stackhand_ci_jobs", &["project", "status", "kind", "stack"], "Jobs of unfinished pipelines."),
    counter(
        "stackhand_ci_jobs_finished_total",
        &["project", "status", "kind", "stack", "first_attempt"],
        "Jobs that finished.",
    ),
    gauge("stackhand_ci_pending_jobs", &["runner_class"], "Jobs that wait for a runner."),
    gauge("stackhand_ci_pending_oldest_seconds", &["runner_class"], "How long the oldest of them waits."),
    gauge("stackhand_ci_queue_forecast_seconds", &["runner_class"], "How long a new job would wait."),
    gauge("stackhand_ci_success_ratio", &["window", "kind"], "Jobs that succeeded of those that finished."),
    gauge("stackhand_ci_unmatched_jobs", &[], "Jobs that no runner can take."),
    gauge("stackhand_fleet_hourly_cost_dollars", &["nodepool", "capacity_type"], "Price of the nodes per hour."),
    gauge("stackhand_fleet_nodes", &["nodepool", "capacity_type"], "Nodes of the cluster."),
    gauge("stackhand_fleet_pending_pods", &["reason"], "Pods that do not start, by reason."),
    gauge("stackhand_fleet_pods", &["nodepool", "state"], "Pods of jobs."),
    counter("stackhand_fleet_spot_interruptions_total", &["nodepool"], "Nodes that were reclaimed."),
    gauge("stackhand_leader", &[], "Whether this daemon acts, or stands by."),
    counter("stackhand_loop_items_total", &["loop", "item"], "What rounds of loops counted."),
    gauge("stackhand_loop_last_success_timestamp_seconds", &["loop"], "When a loop last had a round that went well."),
    counter("stackhand_loop_rounds_total", &["loop", "outcome"], "Rounds of loops, by how they went."),
    counter("stackhand_package_cost_dollars_total", &["package"], "What building a package has cost."),
    gauge("stackhand_runner_online", &["runner_class", "host"], "Runners that are online."),
    gauge("stackhand_runner_running", &["runner_class"], "Jobs that run."),
    gauge("stackhand_runner_slots", &["runner_class"], "Jobs that could run at once."),
    gauge(
        "stackhand_source_last_success_timestamp_seconds",
        &["source"],
        "When a source last gave a good answer, since the Unix epoch.",
    ),
    gauge("stackhand_source_rate_limit_remaining", &["source"], "Requests that a source still allows."),
    histogram("stackhand_source_request_duration_seconds", &["source"], REQUEST, "How long requests took."),
    counter("stackhand_source_requests_total", &["source", "code"], "Requests to a source, by answer."),
    gauge("stackhand_source_up", &["source"], "Whether the last answer of a source was good."),
    gauge("stackhand_store_bytes", &[], "Size of the store."),
    histogram("stackhand_store_write_duration_seconds", &[], WRITE, "How long writes to the store took."),
    counter("stackhand_watch_restarts_total", &["resource", "reason"], "Watches that were opened again."),
    counter("stackhand_webhooks_total", &["forge", "outcome"], "Webhooks that came in, by what became of them."),
];

/// The family of a name.
pub(super) fn declared(name: &str) -> Option<(usize, &'static Declared)> {
    let at = FAMILIES.binary_search_by(|family| family.name.cmp(name)).ok()?;
    FAMILIES.get(at).map(|family| (at, family))
}
