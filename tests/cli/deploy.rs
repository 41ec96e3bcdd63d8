//! What lies in `scripts/deploy` is about this program: routes, flags and settings that it has, in files that their readers accept.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::stage::Stage;

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifests() -> Vec<Value> {
    let text = file("kubernetes.yaml");
    text.split("\n---\n")
        .map(|one| serde_saphyr::from_str(one).unwrap_or_else(|error| panic!("{error}: {one}")))
        .collect()
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Vec<&'a Value> {
    manifests.iter().filter(|one| one["kind"] == kind).collect()
}

/// Whether the command line is one that the program understands; nothing is run.
fn understands(stage: &Stage, arguments: &[&str]) {
    let ended = stage.run(&[arguments, &["--help"]].concat());
    assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
}

#[test]
fn manifests_name_routes_flags_and_settings_that_there_are() {
    let manifests = manifests();
    let deployments = of_kind(&manifests, "Deployment");
    let [deployment] = &deployments[..] else { panic!("one deployment") };
    // More would need a lock that reaches from node to node.
    assert_eq!(
        (&deployment["spec"]["replicas"], &deployment["spec"]["strategy"]["type"]),
        (&1.into(), &"Recreate".into())
    );
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let stage = Stage::bare().with("STACKHAND_CACHE_MIRRORS", ",");
    let daemon = Daemon::start(&stage, &["--loops", "caches"]);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        daemon.ready_when(probe, |_, _| daemon.get(path).0 == 200);
    }
    let arguments: Vec<&str> = container["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    understands(&stage, &arguments);
    let security = &container["securityContext"];
    assert_eq!(
        (&security["readOnlyRootFilesystem"], &security["allowPrivilegeEscalation"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&security["capabilities"]["drop"][0], &pod["securityContext"]["runAsNonRoot"]),
        (&"ALL".into(), &true.into())
    );
    for mount in container["volumeMounts"].as_array().unwrap() {
        let volumes = pod["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount}");
    }
    let config = of_kind(&manifests, "ConfigMap")[0]["data"]["config.toml"].as_str().unwrap();
    let token = stage.write("token", "glpat-canary\n").display().to_string();
    let path = stage
        .write("config.toml", &config.replace("/run/secrets/stackhand/gitlab-token", &token))
        .display()
        .to_string();
    let shown = stage.run(&["--config", &path, "config", "--json"]);
    assert!(shown.code == 0 && shown.err.is_empty(), "{}", shown.err);
    assert!(shown.out.contains("0.0.0.0:9797") && !shown.out.contains("canary"), "{}", shown.out);
}

#[test]
fn the_rights_are_those_of_a_reader() {
    let manifests = manifests();
    let mut resources = Vec::new();
    for kind in ["Role", "ClusterRole"] {
        for role in of_kind(&manifests, kind) {
            for rule in role["rules"].as_array().unwrap() {
                assert_eq!(rule["verbs"], serde_json::json!(["get", "list", "watch"]), "{role}");
                resources
                    .extend(rule["resources"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()));
            }
        }
    }
    resources.sort();
    resources.dedup();
    assert_eq!(resources, ["events", "nodeclaims", "nodepools", "nodes", "pods"]);
}

#[test]
fn the_unit_starts_what_there_is_and_its_options_are_known() {
    let unit = file("stackhand.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let (program, arguments) = start.split_once(' ').unwrap();
    let stage = Stage::bare();
    understands(&stage, &arguments.split(' ').collect::<Vec<_>>());
    for option in ["Type=notify", "WatchdogSec=60", "User=stackhand", "ProtectSystem=strict", "NoNewPrivileges=yes"] {
        assert!(unit.lines().any(|line| line == option), "{option}");
    }
    // With these nobody attaches, or everybody is called root.
    for option in ["DynamicUser=", "PrivateUsers=", "ProtectProc="] {
        assert!(!unit.lines().any(|line| line.starts_with(option)), "{option}");
    }
    // The file that is started must be there when the unit is checked.
    let path = stage.write("stackhand.service", &unit.replace(program, env!("CARGO_BIN_EXE_stackhand")));
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let about_it: Vec<&str> = said.lines().filter(|line| line.contains("stackhand.service")).collect();
            assert!(output.status.success() && about_it.is_empty(), "{said}");
        }
        Err(_) => assert!(std::env::var_os("CI").is_none(), "systemd-analyze is missing"),
    }
}
