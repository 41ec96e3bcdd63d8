//! Pods of jobs and of runner managers.

use serde_json::{Map, Value, json};

use super::super::super::fleet::Runner;
use super::super::super::gitlab::{PROJECT_ID, PROJECT_PATH};
use super::super::super::plan::Role;
use super::super::super::stacks::{STACKS, size};
use super::super::super::world::{Job, World};
use super::super::machine::Machine;
use super::super::pod::{JobPod, Outcome, State};
use super::super::pools::Rule;
use super::{label, seconds, uid};
use crate::ci::Timestamp;

const HELPER: &str = "registry.gitlab.com/gitlab-org/gitlab-runner/gitlab-runner-helper:x86_64-v19.2.0";

fn map(pairs: Vec<(&str, String)>) -> Value {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect::<Map<String, Value>>().into()
}

/// What a pod says about its job: labels, and annotations. What is not set is empty, as variables are.
pub fn says(world: &World, base: &str, job: &Job, runner: &Runner, rule: &Rule, slot: u32) -> (Value, Value) {
    let (pipeline, entry) = (world.pipeline_of(job), world.entry_of(job));
    let (id, name) = (job.id.to_string(), world.name_of(job));
    let project_url = format!("{base}/{PROJECT_PATH}");
    let (url, pipeline_url) =
        (format!("{project_url}/-/jobs/{id}"), format!("{project_url}/-/pipelines/{}", pipeline.id));
    let stack = pipeline.plan.stack.and_then(|stack| STACKS.get(stack)).map_or("", |stack| stack.name);
    let stack = if entry.role == Role::Generate { name.strip_suffix("-generate").unwrap_or(stack) } else { stack };
    let work = entry.work.as_ref();
    let of = |part: fn(&super::super::super::plan::Work) -> &str| work.map(part).unwrap_or_default().to_owned();
    let package = of(|work| &work.package);
    let job_size = work.map(|work| size(&work.package));
    let (job_class, build_jobs) = job_size.map_or(("", ""), |size| (size.class, size.build_jobs));
    let needs_rebuild = if work.is_some() { "True" } else { "" };
    let pod = format!("runner-{}-project-{PROJECT_ID}-concurrent-{slot}", runner.token);
    let mut labels = vec![
        ("pod", pod.clone()),
        ("job.runner.gitlab.com/pod", pod),
        ("manager.runner.gitlab.com/name", runner.description.to_string()),
        ("manager.runner.gitlab.com/id-short", runner.token.to_string()),
        ("project.runner.gitlab.com/id", PROJECT_ID.to_string()),
        ("project.runner.gitlab.com/namespace-id", "7".to_owned()),
        ("project.runner.gitlab.com/name", "spack-packages".to_owned()),
        ("project.runner.gitlab.com/namespace", "spack".to_owned()),
        ("project.runner.gitlab.com/root-namespace", "spack".to_owned()),
        ("spack.io/runner", "true".to_owned()),
        ("metrics/gitlab_ci_pipeline_id", pipeline.id.to_string()),
        ("metrics/gitlab_ci_project_namespace", "spack".to_owned()),
        ("metrics/gitlab_ci_project_name", "spack-packages".to_owned()),
        ("metrics/gitlab_ci_job_stage", pipeline.plan.stage(entry).to_string()),
        ("metrics/gitlab_ci_commit_ref_name", pipeline.git_ref.to_string()),
        ("metrics/spack_ci_stack_name", stack.to_owned()),
    ];
    let mut notes = vec![
        ("job.runner.gitlab.com/id", id.clone()),
        ("job.runner.gitlab.com/url", url.clone()),
        ("job.runner.gitlab.com/sha", pipeline.commit.sha.to_string()),
        ("job.runner.gitlab.com/before_sha", "0".repeat(40)),
        ("job.runner.gitlab.com/ref", pipeline.git_ref.to_string()),
        ("job.runner.gitlab.com/name", name.to_string()),
        ("job.runner.gitlab.com/timeout", "1h0m0s".to_owned()),
        ("project.runner.gitlab.com/id", PROJECT_ID.to_string()),
        ("fluentbit.io/exclude", "true".to_owned()),
        ("karpenter.sh/do-not-disrupt", "true".to_owned()),
        ("gitlab/ci_pipeline_url", pipeline_url),
        ("gitlab/ci_job_url", url),
        ("gitlab/ci_project_url", project_url),
        ("gitlab/ci_runner_description", runner.description.to_string()),
        ("gitlab/ci_job_id", id.clone()),
    ];
    notes.extend(rule.ttl.map(|ttl| ("pod-cleanup.gitlab.com/ttl", ttl.to_owned())));
    if !rule.is_windows() {
        labels.push(("gitlab/ci_job_id", id));
    }
    if !rule.is_signing() {
        labels.push(("gitlab/ci_job_size", job_class.to_owned()));
        labels.push(("metrics/spack_job_spec_pkg_name", package.clone()));
        labels.push(("metrics/spack_spec_needs_rebuild", needs_rebuild.to_owned()));
    }
    if rule.is_windows() {
        labels.push(("metrics/spack_job_spec_hash", of(|work| &work.hash)));
    } else if !rule.is_signing() {
        notes.extend([
            ("metrics/spack_job_spec_pkg_name", package),
            ("metrics/spack_job_spec_hash", of(|work| &work.hash)),
            ("metrics/spack_job_spec_pkg_version", of(|work| &work.version)),
            ("metrics/spack_job_spec_compiler_name", of(|work| &work.compiler.0)),
            ("metrics/spack_job_spec_compiler_version", of(|work| &work.compiler.1)),
            ("metrics/spack_job_spec_arch", of(|work| &work.arch)),
            ("metrics/spack_job_spec_variants", of(|work| &work.variants)),
            ("metrics/spack_job_build_jobs", build_jobs.to_owned()),
            ("metrics/spack_ci_stack_name", stack.to_owned()),
        ]);
    }
    (map(labels.into_iter().map(|(key, value)| (key, label(&value))).collect()), map(notes))
}

fn tolerations(rule: &Rule) -> Vec<Value> {
    let own = rule
        .tolerated()
        .iter()
        .map(|key| json!({ "key": key, "operator": "Equal", "value": "true", "effect": "NoSchedule" }));
    let usual = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
        .map(|key| json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }));
    own.chain(usual).collect()
}

fn container(name: &str, image: &str, resources: Value) -> Value {
    json!({
        "name": name,
        "image": image,
        "resources": resources,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    })
}

fn spec(pod: &JobPod, machine: Option<&Machine>) -> Value {
    let limit = if pod.rule.is_signing() { "64G" } else { "96G" };
    let build =
        json!({ "requests": { "cpu": pod.build_cpu, "memory": pod.build_memory }, "limits": { "memory": limit } });
    let helper = if pod.rule.is_windows() { "1" } else { "512M" };
    let mut spec = json!({
        "containers": [
            container("build", pod.image, build),
            container("helper", HELPER, json!({ "requests": { "memory": helper } })),
        ],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "runner",
        "serviceAccount": "runner",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": tolerations(&pod.rule),
        "priority": 0,
        "enableServiceLinks": true,
        "preemptionPolicy": "PreemptLowerPriority",
    });
    let Some(fields) = spec.as_object_mut() else { return spec };
    if let Some((key, values)) = pod.rule.affinity {
        let terms = json!([{ "matchExpressions": [
            { "key": key, "operator": "In", "values": values },
            { "key": "spack.io/pipeline", "operator": "Exists" },
        ] }]);
        let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
        fields.insert("affinity".to_owned(), json!({ "nodeAffinity": required }));
    }
    if !pod.rule.selector.is_empty() {
        let selector: Map<String, Value> =
            pod.rule.selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        fields.insert("nodeSelector".to_owned(), selector.into());
    }
    if let Some(machine) = machine {
        fields.insert("nodeName".to_owned(), (*machine.node).into());
    }
    spec
}

fn condition(kind: &str, is_true: bool, at: Timestamp, why: Option<(&str, &str)>) -> Value {
    let mut condition = json!({
        "type": kind,
        "status": if is_true { "True" } else { "False" },
        "lastProbeTime": null,
        "lastTransitionTime": seconds(at),
    });
    if let (Some(condition), Some((reason, message))) = (condition.as_object_mut(), why) {
        condition.insert("reason".to_owned(), reason.into());
        if !message.is_empty() {
            condition.insert("message".to_owned(), message.into());
        }
    }
    condition
}

/// One container's status, with its state and whether that is a running one.
fn status_of(name: &str, image: &str, state: Value) -> Value {
    let is_up = state.get("running").is_some();
    json!({
        "name": name,
        "state": state,
        "lastState": {},
        "ready": is_up,
        "restartCount": 0,
        "image": image,
        "imageID": if is_up { format!("{image}@sha256:{}", "0".repeat(64)) } else { String::new() },
        "started": is_up,
    })
}

fn over(pod: &JobPod, outcome: &Outcome) -> (Vec<Value>, Vec<Value>, Map<String, Value>) {
    let started = pod.started.unwrap_or(pod.since);
    let ended = |code: i32, reason: &str| {
        json!({ "terminated": {
            "exitCode": code, "reason": reason, "startedAt": seconds(started), "finishedAt": seconds(pod.since),
        } })
    };
    let (build, more) = match outcome {
        Outcome::Succeeded => (ended(0, "Completed"), None),
        Outcome::Failed(code) => (ended(*code, "Error"), None),
        Outcome::OutOfMemory => (ended(137, "OOMKilled"), None),
        Outcome::Evicted(message) => (ended(137, "Error"), Some(("Evicted", *message))),
        Outcome::Shutdown => {
            (ended(137, "Error"), Some(("Terminated", "Pod was terminated in response to imminent node shutdown.")))
        }
    };
    let (is_well, reason) = match outcome {
        Outcome::Succeeded => (true, "PodCompleted"),
        _ => (false, "PodFailed"),
    };
    let mut conditions = vec![condition("Ready", false, pod.since, Some((reason, "")))];
    let mut fields = Map::new();
    if let Some((reason, message)) = more {
        conditions.insert(0, condition("DisruptionTarget", true, pod.since, Some(("TerminationByKubelet", message))));
        fields.insert("reason".to_owned(), reason.into());
        fields.insert("message".to_owned(), message.into());
    }
    fields.insert("phase".to_owned(), if is_well { "Succeeded" } else { "Failed" }.into());
    let statuses = vec![status_of("build", pod.image, build), status_of("helper", HELPER, ended(0, "Completed"))];
    (conditions, statuses, fields)
}

fn status(pod: &JobPod, machine: Option<&Machine>) -> Value {
    let mut status = Map::new();
    let mut conditions = Vec::new();
    let both = |state: Value| vec![status_of("build", pod.image, state.clone()), status_of("helper", HELPER, state)];
    let mut containers = Vec::new();
    status.insert("phase".to_owned(), "Pending".into());
    match &pod.state {
        State::Fresh => {}
        State::Waiting(message) => {
            conditions.push(condition("PodScheduled", false, pod.since, Some(("Unschedulable", message))));
        }
        State::Creating | State::ImageMissing => {
            let missing = format!("Back-off pulling image \"{}\"", pod.image);
            let waiting = match pod.state {
                State::Creating => json!({ "waiting": { "reason": "ContainerCreating" } }),
                _ => json!({ "waiting": { "reason": "ImagePullBackOff", "message": missing } }),
            };
            let why = ("ContainersNotReady", "containers with unready status: [build helper]");
            conditions.push(condition("Ready", false, pod.bound.unwrap_or(pod.since), Some(why)));
            containers = both(waiting);
        }
        State::Running => {
            let started = pod.started.unwrap_or(pod.since);
            conditions.push(condition("Ready", true, started, None));
            containers = both(json!({ "running": { "startedAt": seconds(started) } }));
            status.insert("phase".to_owned(), "Running".into());
        }
        State::Over(outcome) => {
            let (more, statuses, fields) = over(pod, outcome);
            conditions.extend(more);
            containers = statuses;
            status.extend(fields);
        }
    }
    if let (Some(bound), Some(machine)) = (pod.bound, machine) {
        conditions.insert(0, condition("PodScheduled", true, bound, None));
        status.insert("startTime".to_owned(), seconds(bound).into());
        status.insert("hostIP".to_owned(), machine.address().into());
        if pod.started.is_some() {
            let host = machine.id % 250;
            status.insert("podIP".to_owned(), format!("192.168.{}.{}", 100 + host / 2, 2 + pod.job.0 % 250).into());
        }
        status.insert("containerStatuses".to_owned(), containers.into());
    }
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), conditions.into());
    }
    status.insert("qosClass".to_owned(), "Burstable".into());
    status.into()
}

/// The pod of a job, on its machine if it has one.
pub fn pod(pod: &JobPod, machine: Option<&Machine>) -> Value {
    let mut metadata = json!({
        "name": &*pod.name,
        "namespace": "pipeline",
        "uid": pod.uid,
        "creationTimestamp": seconds(pod.created),
        "labels": pod.labels,
        "annotations": pod.annotations,
    });
    if let (Some(metadata), Some(at)) = (metadata.as_object_mut(), pod.deleted) {
        metadata.insert("deletionTimestamp".to_owned(), seconds(at).into());
        metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
    }
    json!({ "metadata": metadata, "spec": spec(pod, machine), "status": status(pod, machine) })
}

/// The pod of a runner manager.
pub fn manager(runner: &Runner, machine: &Machine) -> Value {
    let release = format!("{}-gitlab-runner", runner.class);
    let chart = runner.description.strip_prefix(release.as_str()).and_then(|rest| rest.split('-').nth(1));
    let image = "registry.gitlab.com/gitlab-org/gitlab-runner:alpine-v19.2.0";
    let resources = json!({ "requests": { "memory": "1G" } });
    let up = json!({ "running": { "startedAt": seconds(runner.created_at.shifted(9_000)) } });
    let at = runner.created_at;
    json!({
        "metadata": {
            "name": &*runner.description,
            "namespace": "gitlab",
            "uid": uid("Pod", &runner.description),
            "creationTimestamp": seconds(at),
            "labels": {
                "app": release,
                "chart": "gitlab-runner-0.91.0",
                "heritage": "Helm",
                "pod-template-hash": chart.unwrap_or_default(),
                "release": runner.class,
            },
            "annotations": { "karpenter.sh/do-not-disrupt": "true" },
        },
        "spec": {
            "containers": [container(&release, image, resources)],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 21_600,
            "dnsPolicy": "ClusterFirst",
            "nodeSelector": { "spack.io/node-pool": "base" },
            "serviceAccountName": "runner",
            "serviceAccount": "runner",
            "nodeName": &*machine.node,
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "priority": 0,
            "enableServiceLinks": true,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "phase": "Running",
            "conditions": [condition("PodScheduled", true, at, None), condition("Ready", true, at.shifted(12_000), None)],
            "hostIP": machine.address(),
            "podIP": format!("192.168.99.{}", 2 + runner.id.0 % 250),
            "startTime": seconds(at),
            "containerStatuses": [status_of(&release, image, up)],
            "qosClass": "Burstable",
        },
    })
}
