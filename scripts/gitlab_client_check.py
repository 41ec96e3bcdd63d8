#!/usr/bin/env python3
"""Talks to the practice GitLab with python-gitlab, a client that is not ours.

Usage: gitlab_client_check.py '<line of `stackhand demo --serve`>'      (or the line on standard input)

Lists pipelines, trigger jobs and jobs, reads a log and the generated child pipeline, retries a failed job, cancels a running one,
and ends with status 1 and one sentence when something is not as GitLab would have it. Needs: pip install python-gitlab
"""

import json
import sys


def fail(message):
    sys.exit(f"gitlab_client_check: {message}")


def check(condition, message):
    if not condition:
        fail(message)


def main():
    try:
        import gitlab
    except ImportError:
        fail("python-gitlab is not installed; run `pip install python-gitlab`")
    line = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.readline()
    try:
        place = json.loads(line)["gitlab"]
    except (ValueError, KeyError):
        fail(f"this is not the line that `demo --serve` prints: {line!r}")

    client = gitlab.Gitlab(place["url"], private_token=place["token"], per_page=100)
    client.auth()
    check(client.user.username, "the token has no user")
    project = client.projects.get(place["project"])
    check(project.path_with_namespace == place["project"], "another project answered")

    pipelines = project.pipelines.list(get_all=True)
    check(len(pipelines) > 60, f"only {len(pipelines)} pipelines: paging does not work")
    check(len({p.id for p in pipelines}) == len(pipelines), "a pipeline came twice")
    nightly = project.pipelines.list(ref="develop", source="schedule", get_all=False)[0]
    parent = project.pipelines.get(nightly.id)
    check(parent.source == "schedule" and parent.detailed_status["text"], "the nightly pipeline is not whole")

    bridges = parent.bridges.list(get_all=True)
    children = [b for b in bridges if b.downstream_pipeline]
    check(children, "no trigger job has a child")
    failed = None
    total = 0
    for bridge in children:
        child = project.pipelines.get(bridge.downstream_pipeline["id"])
        jobs = child.jobs.list(get_all=True)
        total += len(jobs)
        check(all(j.pipeline["id"] == child.id for j in jobs), f"{bridge.name}: a job of another pipeline")
        mine = [j for j in jobs if j.status == "failed"]
        check(all(j.failure_reason for j in mine), f"{bridge.name}: a failed job without a reason")
        if mine and (failed is None or len(jobs) > failed[0]):
            failed = (len(jobs), mine)
    check(failed, "nothing has failed in this night")

    generate = next(j for j in parent.jobs.list(get_all=True) if j.name.endswith("-generate") and j.status == "success")
    stack = generate.name.removesuffix("-generate")
    yaml = project.jobs.get(generate.id).artifact(f"jobs_scratch_dir/{stack}/cloud-ci-pipeline.yml")
    check(b"\nstages:" in yaml and b"SPACK_JOB_SPEC_DAG_HASH" in yaml, "the generated pipeline is not one")

    job = project.jobs.get(failed[1][0].id)
    log = job.trace()
    check(b"section_start:" in log and b"\x1b[" in log, "the log has no sections")
    answer = job.retry()
    check(answer["id"] > job.id and answer["name"] == job.name, "a retry must make a new job of the same name")
    check(answer["status"] in ("created", "pending", "running"), f"the new job is {answer['status']}")
    try:
        job.retry()
        fail("a job that was retried could be retried again")
    except gitlab.exceptions.GitlabJobRetryError as refusal:
        check(refusal.response_code == 403, f"the second retry was refused with {refusal.response_code}")
    names = [j.id for j in project.pipelines.get(job.pipeline["id"]).jobs.list(get_all=True)]
    check(answer["id"] in names and job.id not in names, "the list shows the old job instead of the new one")

    running = next(project.jobs.list(scope="running", iterator=True))
    canceled = project.jobs.get(running.id)
    canceled.cancel()
    canceled.refresh()
    check(canceled.status in ("canceling", "canceled"), f"a canceled job is {canceled.status}")

    runners = client.runners_all.list(get_all=True)
    check(any("-gitlab-runner-" in r.description for r in runners), "no runner has a manager's name")
    check(client.runners.get(runners[0].id).tag_list, "a runner without tags")
    check("develop" in [branch.name for branch in project.protectedbranches.list()], "develop is not protected")

    print(f"python-gitlab {gitlab.__version__}: {len(pipelines)} pipelines, {len(children)} children, {total} jobs, {len(runners)} runners: fine")


if __name__ == "__main__":
    main()
