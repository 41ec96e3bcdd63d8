//! The practice world's metrics, read by the real adapters.

use stackhand::adapters::prometheus::{Data, Exporter, Prometheus, Settings, quote};
use stackhand::console::fault::FaultKind;
use stackhand::sandbox::{Options, Running, Sandbox};

async fn world() -> Running {
    Sandbox::start(Options { speed: 0.0, jobs: 600, ..Options::default() }).await.unwrap()
}

async fn ask(running: &Running, query: &str) -> Vec<f64> {
    let answer = Prometheus::new(&Settings::new(&running.prometheus)).unwrap().query(query, None).await.unwrap();
    let Data::Vector(series) = answer.data else { panic!("{query} gave no vector") };
    series.into_iter().map(|series| series.point.unwrap().value).collect()
}

#[tokio::test]
async fn selectors_are_answered_and_the_rest_is_refused_by_name() {
    let running = world().await;
    let price = "karpenter_cloudprovider_instance_type_offering_price_estimate";
    let one = format!("{price}{{instance_type={},capacity_type=\"spot\",zone=\"us-east-1a\"}}", quote("c6a.4xlarge"));
    let all = ask(&running, &one).await;
    assert!(all.len() == 1 && all[0] > 0.05 && all[0] < 1.0, "{all:?}");
    assert!(ask(&running, &format!("{price}{{capacity_type=\"reserved\"}}")).await.is_empty());
    assert!(ask(&running, "no_such_metric").await.is_empty());
    assert_eq!(ask(&running, "karpenter_nodepools_cost_total").await.len(), 10);
    assert_eq!(
        ask(&running, r#"karpenter_nodepools_limit{nodepool="glr-x86-64-v3",resource_type="cpu"}"#).await,
        [3_840.0]
    );
    assert!(
        ask(&running, r#"karpenter_nodepools_usage{nodepool=~"glr-.*",resource_type="cpu"}"#).await.iter().sum::<f64>()
            > 8.0
    );
    let slots: f64 = ask(&running, "gitlab_runner_concurrent").await.iter().sum();
    assert!(slots > 10.0, "{slots}");
    let prometheus = Prometheus::new(&Settings::new(&running.prometheus)).unwrap();
    // What the console asks.
    let (sum, slots) = (
        ask(&running, "sum(gitlab_runner_concurrent)").await,
        ask(&running, "max by (pod)(gitlab_runner_concurrent)").await,
    );
    assert!((sum[0] - slots.iter().sum::<f64>()).abs() < 1e-9 && slots.len() > 10, "{sum:?} {slots:?}");
    assert_eq!(ask(&running, "min(karpenter_cluster_state_synced)").await, [1.0]);
    let used = r#"max by (nodepool)(karpenter_nodepools_usage{resource_type="cpu"})"#;
    assert_eq!(ask(&running, used).await.len(), 10);
    let launches = "sum by (zone,reason)(increase(karpenter_cloudprovider_instance_launch_failures_total[15m]))";
    assert!(ask(&running, launches).await.is_empty());
    for query in ["avg(gitlab_runner_jobs)", "gitlab_runner_jobs[5m]", "gitlab_runner_jobs{a=}"] {
        let fault = prometheus.query(query, None).await.unwrap_err();
        assert!(matches!(fault.kind, FaultKind::Refused { status: 400 | 422 }), "{query}: {fault}");
    }
    assert_eq!(prometheus.build_info().await.unwrap().version, "2.42.0");
}

#[tokio::test]
async fn expositions_say_what_is_asked_for() {
    let running = world().await;
    let url = format!("{}/karpenter/metrics", running.prometheus);
    let karpenter = Exporter::new(&Settings::new(url)).unwrap().scrape().await.unwrap();
    let cost: f64 = karpenter.numbers("karpenter_nodepools_cost_total").unwrap().map(|(_, value)| value).sum();
    let asked: f64 = ask(&running, "karpenter_nodepools_cost_total").await.iter().sum();
    assert!(cost > 0.0 && (cost - asked).abs() < 1e-9, "{cost} {asked}");
    let (name, running_jobs, slots) = running.world(|world| {
        let (index, runner) = world
            .runners()
            .iter()
            .enumerate()
            .find(|(_, runner)| runner.busy > 0 && runner.executor == "kubernetes")
            .unwrap();
        let jobs = world.jobs().filter(|job| job.runner == Some(index) && job.finished_at.is_none()).count();
        (runner.description.to_string(), jobs, runner.slots)
    });
    let url = format!("{}/runners/{name}/metrics", running.prometheus);
    let manager = Exporter::new(&Settings::new(url)).unwrap().scrape().await.unwrap();
    let number = |name: &str| manager.numbers(name).map(|all| all.map(|(_, value)| value).sum::<f64>());
    assert_eq!(number("gitlab_runner_concurrent"), Some(f64::from(slots)));
    assert_eq!(number("gitlab_runner_jobs").unwrap_or_default() as usize, running_jobs);
    let url = format!("{}/runners/nobody/metrics", running.prometheus);
    assert!(Exporter::new(&Settings::new(url)).unwrap().scrape().await.is_err());
}
